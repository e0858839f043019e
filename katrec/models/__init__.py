"""What can be trained."""

from katrec.models.bert4rec import BERT4Rec
from katrec.models.katrec import ABLATIONS, KATRec

__all__ = ["ABLATIONS", "BERT4Rec", "KATRec"]
