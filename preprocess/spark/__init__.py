"""The pipeline on Spark (extra: spark), for logs that one machine's memory does not hold.

Filters and the split are Spark DataFrames; what they leave comes to the driver as numbers, and is written there by the
same code as without Spark, to the same bytes. docs/data.md has the plan: which shuffles there are, and how often.
"""
