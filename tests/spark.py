"""A Spark session on this machine, for the tests that need one."""

import os
import shutil
import sys

import pytest

from tests.conftest import ROOT


@pytest.fixture(scope="session")
def spark():
    """Two workers; a task may fail twice."""
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        pytest.skip("Spark needs Java 17 or later, which this machine does not have")
    from pyspark.sql import SparkSession

    # Workers are this interpreter and import this checkout.
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    session = (
        SparkSession.builder.master("local[2,3]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "4")
        .config("spark.driver.memory", "2g")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()
