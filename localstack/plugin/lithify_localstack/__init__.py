"""LocalStack without Docker: functions run as processes, DynamoDB is DynamoDB Local from Maven.

`python -m lithify_localstack` starts LocalStack with both. The parts:

- `executor`: LocalStack's Lambda asks it for one environment per invocation that is under way, and keeps them for later ones;
- `process`: one function's process: its start, its log, its end;
- `runtime_api`: the Lambda Runtime API that the process polls, on a loopback port of its own;
- `dynamodb`: the jar instead of a download that LocalStack would make;
- `storage`: a folder of its own for S3;
- `compat`: what older Pythons lack.
"""
