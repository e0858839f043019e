"""What can be trained."""

from katrec.models.bert4rec import BERT4Rec
from katrec.models.bprmf import BPRMF
from katrec.models.gru4rec import GRU4Rec
from katrec.models.katrec import KATRec
from katrec.models.sasrec import SASRec

__all__ = ["BERT4Rec", "BPRMF", "GRU4Rec", "KATRec", "SASRec"]
