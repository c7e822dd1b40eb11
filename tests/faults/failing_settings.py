"""The product's settings with a collection that fails when told to."""

from detectviz.settings import *  # noqa: F403 - the product's settings, then our change

DETECTVIZ_COLLECTION_MODULE = "tests.faults.failing_collection.FailingCollection"
