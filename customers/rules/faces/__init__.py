"""The faces of rules that people read and write: the text and the sentence.

Both say everything that the JSON says: what is written out is read back as the same tree.
"""

from customers.rules.faces.names import AsIds, DatabaseNames, Names
from customers.rules.faces.parsing import UnreadableRule, read_sentence, read_text
from customers.rules.faces.writing import write_leaf, write_sentence, write_text

__all__ = [
    "AsIds",
    "DatabaseNames",
    "Names",
    "UnreadableRule",
    "read_sentence",
    "read_text",
    "write_leaf",
    "write_sentence",
    "write_text",
]
