"""Makes a small Delta table with the `deltalake` wheel: one that Lithify did not make. `foreign_table.py PATH`"""

import sys

import deltalake
from arro3.core import Array, DataType, Table

numbers = Table.from_pydict({"order_id": Array([1, 2, 3], type=DataType.int64())})
deltalake.write_deltalake(sys.argv[1], numbers)
