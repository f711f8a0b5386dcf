"""Starts LocalStack in this process, with DynamoDB Local from Maven. Functions as processes come by LAMBDA_RUNTIME_EXECUTOR=process."""

import sys

from lithify_localstack import compat


def main() -> int:
    """Runs LocalStack until it is told to stop."""
    compat.prepare()
    from lithify_localstack import dynamodb, storage

    dynamodb.use_maven_jar()
    storage.use_own_folder()
    from localstack.runtime.main import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
