"""The product's settings with a collection that fails when told to."""

from detectviz import settings as product

globals().update({name: value for name, value in vars(product).items() if name.isupper()})
DETECTVIZ_COLLECTION_MODULE = "tests.faults.failing_collection.FailingCollection"
