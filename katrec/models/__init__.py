"""What can be trained."""

from katrec.models.bert4rec import BERT4Rec
from katrec.models.katrec import KATRec

__all__ = ["BERT4Rec", "KATRec"]
