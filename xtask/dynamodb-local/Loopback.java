import java.io.OutputStream;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import software.amazon.dynamodb.services.local.main.ServerRunner;

/**
 * DynamoDB Local as a server of tests: on the loopback interface alone (its own main class listens on all), on a port that is free, which
 * it prints, and only for as long as whoever started it holds the other end of its standard input.
 */
public class Loopback {
    public static void main(String[] arguments) throws Exception {
        var proxy = ServerRunner.createServerFromCommandLineArgs(new String[] {"-inMemory", "-disableTelemetry"});
        var field = proxy.getClass().getDeclaredField("server");
        field.setAccessible(true);
        var connector = (ServerConnector) ((Server) field.get(proxy)).getConnectors()[0];
        connector.setHost("127.0.0.1");
        connector.setPort(0);
        proxy.start();
        System.out.println("\nport " + connector.getLocalPort());
        System.in.transferTo(OutputStream.nullOutputStream());
        System.exit(0);
    }
}
