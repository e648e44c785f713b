"""Flower wants an app for nodes in every bundle. Ours are no Python: a board runs `s2a fleet join`, which answers by itself."""

from flwr.app import Context, Message
from flwr.clientapp import ClientApp

app = ClientApp()
SENTENCE = "this node runs Flower's own SuperNode, expected s2a's: s2a fleet join"


def _refuse(_message: Message, _context: Context) -> Message:
    raise RuntimeError(SENTENCE)


for _register in (app.train(), app.evaluate(), app.query()):
    _register(_refuse)
