"""DynamoDB Local as Maven brought it, in place of the archive that LocalStack would download.

LocalStack's own DynamoDB provider stays in front: it answers what DynamoDB Local alone does not know (point-in-time recovery, tags).
"""

import os
import shutil

LIBRARIES = "LITHIFY_DYNAMODB_LIB"
"""The environment variable that names the folder with the jar, its dependencies and the native SQLite library."""

MAIN_CLASS = "software.amazon.dynamodb.services.local.main.ServerRunner"


def java_home() -> str:
    """The folder above the `bin` of the machine's own `java`."""
    java = shutil.which("java")
    if java is None:
        raise RuntimeError("java is not on the PATH: DynamoDB Local needs Java 17 or newer")
    return os.path.dirname(os.path.dirname(os.path.realpath(java)))


def use_maven_jar() -> None:
    """Points LocalStack's DynamoDB at the folder in `LITHIFY_DYNAMODB_LIB`."""
    from localstack.services.dynamodb.packages import DynamoDBLocalPackageInstaller as Installer
    from localstack.services.dynamodb.server import DynamodbServer

    libraries = os.environ[LIBRARIES]

    def command(server: DynamodbServer) -> list[str]:
        options = ["-port", str(server.port)]
        options += ["-inMemory"] if server.in_memory else ["-dbPath", server.db_path]
        options += ["-sharedDb"] if server.share_db else []
        java = os.path.join(java_home(), "bin", "java")
        classes = os.path.join(libraries, "*")
        return [java, f"-Xmx{server.heap_size}", f"-Djava.library.path={libraries}", "-cp", classes, MAIN_CLASS, *options]

    Installer.install = lambda self, target=None: None
    Installer.is_installed = lambda self: True
    Installer.get_installed_dir = lambda self: libraries
    Installer.get_java_env_vars = lambda self: {"JAVA_HOME": java_home(), "PATH": os.environ["PATH"]}
    DynamodbServer._create_shell_command = command
