"""Where S3 keeps objects: in a folder of this LocalStack's own. Its default is one folder for all that run on a machine, and it stays."""

import os
import tempfile


def use_own_folder() -> None:
    """Points S3 below TMPDIR."""
    from localstack.services.s3 import provider

    provider.DEFAULT_S3_TMP_DIR = os.path.join(tempfile.gettempdir(), "s3")
