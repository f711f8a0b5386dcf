//! A proxy on loopback that spoils what it is told to: one thread and one request per connection.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// A request, as far as plans look at it.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its method.
    pub method: String,
    /// Path and query, encoded.
    pub target: String,
}

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// It never reaches the server.
    DropRequest,
    /// It reaches the server, whose answer is lost.
    LoseReply,
    /// Of the answer's body only so many bytes come, then the connection ends.
    Cut(usize),
    /// It never reaches the server; this status and code are answered.
    Answer(u16, &'static str),
    /// Answered with this status, code and message.
    Says(u16, &'static str, &'static str),
    /// The client loses its connection, and the request reaches the server later: when [`Proxy::deliver`] says so.
    Hold,
}

type Plan = dyn Fn(&Request) -> Fault + Send + Sync;

struct Shared {
    upstream: String,
    plan: Box<Plan>,
    seen: Mutex<Vec<Request>>,
    /// Requests that are still on their way: head and body.
    held: Mutex<Vec<(String, Vec<u8>)>>,
    brought: AtomicU64,
    stopped: AtomicBool,
}

/// A running proxy; it stops when it is dropped.
pub struct Proxy {
    /// Where it listens, as a URL.
    pub endpoint: String,
    shared: Arc<Shared>,
}

impl Proxy {
    /// Starts one before the server at this URL. The plan tells what happens to each request.
    pub fn start(upstream: &str, plan: impl Fn(&Request) -> Fault + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let upstream = upstream.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let shared = Arc::new(Shared {
            upstream,
            plan: Box::new(plan),
            seen: Mutex::default(),
            held: Mutex::default(),
            brought: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
        });
        let accepting = shared.clone();
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if accepting.stopped.load(Ordering::Relaxed) {
                    return;
                }
                let (Ok(client), shared) = (client, accepting.clone()) else { continue };
                // What goes wrong on one connection is the client's to see.
                std::thread::spawn(move || shared.serve(client));
            }
        });
        Self { endpoint: format!("http://{address}"), shared }
    }

    /// The requests so far.
    pub fn seen(&self) -> Vec<Request> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// Lets the requests reach the server that are still on their way, in their order. Gives the status of each answer, which nobody gets.
    pub fn deliver(&self) -> Vec<u16> {
        let held: Vec<_> = self.shared.held.lock().unwrap().drain(..).collect();
        let status = |(head, body): (String, Vec<u8>)| {
            let ((answer, _), _) = self.shared.ask(&head, &body).unwrap().expect("the server answers");
            answer.split(' ').nth(1).unwrap().parse().unwrap()
        };
        held.into_iter().map(status).collect()
    }

    /// Bytes of answers handed on so far.
    pub fn brought(&self) -> u64 {
        self.shared.brought.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.endpoint.trim_start_matches("http://"));
    }
}

impl Shared {
    fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        let Some((head, begun)) = read_head(&mut client)? else { return Ok(()) };
        let request = parse(&head);
        self.seen.lock().unwrap().push(request.clone());
        let fault = (self.plan)(&request);
        if fault == Fault::DropRequest {
            return client.shutdown(Shutdown::Both);
        }
        let body = read_body(&mut client, &head, begun)?;
        if let Fault::Answer(status, code) = fault {
            return answer(&mut client, &request.method, (status, code, "as planned"));
        }
        if let Fault::Says(status, code, message) = fault {
            return answer(&mut client, &request.method, (status, code, message));
        }
        if fault == Fault::Hold {
            self.held.lock().unwrap().push((head, body));
            return client.shutdown(Shutdown::Both);
        }
        let Some(((head, begun), mut server)) = self.ask(&head, &body)? else { return Ok(()) };
        if fault == Fault::LoseReply {
            io::copy(&mut server, &mut io::sink())?;
            return client.shutdown(Shutdown::Both);
        }
        client.write_all(closing(&head).as_bytes())?;
        let mut left = if let Fault::Cut(bytes) = fault { bytes } else { usize::MAX };
        let mut buffer = vec![0; 64 << 10];
        let mut body = io::Cursor::new(begun).chain(server);
        loop {
            let length = body.read(&mut buffer)?.min(left);
            if length == 0 {
                return client.shutdown(Shutdown::Both);
            }
            client.write_all(&buffer[..length])?;
            self.brought.fetch_add(length as u64, Ordering::Relaxed);
            left -= length;
        }
    }

    /// Brings a request to the server. Gives its answer's beginning and where the rest comes from; `None` if there is no answer.
    fn ask(&self, head: &str, body: &[u8]) -> io::Result<Option<(Begun, TcpStream)>> {
        let mut server = TcpStream::connect(&self.upstream)?;
        server.write_all(closing(head).as_bytes())?;
        server.write_all(body)?;
        loop {
            let Some((head, begun)) = read_head(&mut server)? else { return Ok(None) };
            if !head.starts_with("HTTP/1.1 100") {
                return Ok(Some(((head, begun), server)));
            }
        }
    }
}

/// The head of an answer, with what came of its body together with it.
type Begun = (String, Vec<u8>);

/// Reads up to the empty line; gives what came after it as well.
fn read_head(from: &mut TcpStream) -> io::Result<Option<Begun>> {
    let (mut read, mut buffer) = (Vec::new(), vec![0; 16 << 10]);
    loop {
        let length = from.read(&mut buffer)?;
        if length == 0 {
            return Ok(None);
        }
        read.extend_from_slice(&buffer[..length]);
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            let body = read.split_off(end + 4);
            return Ok(Some((String::from_utf8_lossy(&read).into_owned(), body)));
        }
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.into_iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

fn read_body(client: &mut TcpStream, head: &str, mut body: Vec<u8>) -> io::Result<Vec<u8>> {
    let length: usize = header(head, "content-length").map_or(0, |length| length.parse().unwrap());
    if header(head, "expect").is_some() {
        client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let begun = body.len();
    body.resize(length, 0);
    client.read_exact(&mut body[begun.min(length)..])?;
    Ok(body)
}

fn parse(head: &str) -> Request {
    let mut words = head.split(' ');
    let mut word = || words.next().unwrap_or_default().to_owned();
    Request { method: word(), target: word() }
}

/// The head with the word that the connection ends after this.
fn closing(head: &str) -> String {
    let kept = head.trim_end().split("\r\n").filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
    format!("{}\r\nConnection: close\r\n\r\n", kept.collect::<Vec<_>>().join("\r\n"))
}

fn answer(client: &mut TcpStream, method: &str, (status, code, message): (u16, &str, &str)) -> io::Result<()> {
    let body = if method == "HEAD" {
        String::new()
    } else {
        format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>")
    };
    let head =
        format!("HTTP/1.1 {status} Planned\r\nContent-Type: application/xml\r\nContent-Length: {}\r\n", body.len());
    client.write_all(format!("{head}Connection: close\r\n\r\n{body}").as_bytes())?;
    client.shutdown(Shutdown::Write)?;
    io::copy(client, &mut io::sink()).map(|_| ())
}
