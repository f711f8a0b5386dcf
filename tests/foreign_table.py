"""Makes a small Delta table with the `deltalake` wheel: one that Lithify did not make. `foreign_table.py PATH [COLUMN]`"""

import sys

import deltalake
from arro3.core import Array, DataType, Field, Schema, Table

schema = Schema([Field((sys.argv[2:] or ["order_id"])[0], DataType.int64(), nullable=True)])
numbers = Table.from_arrays([Array([1, 2, 3], type=DataType.int64())], schema=schema)
deltalake.write_deltalake(sys.argv[1], numbers)
