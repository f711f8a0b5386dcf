//! A loopback proxy of plain HTTP between a ledger and DynamoDB Local: it counts requests by operation and makes faults by a seed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What happens to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It passes, and so does the answer.
    Pass,
    /// The connection breaks before it reaches the server.
    Lost,
    /// It reaches the server, and the connection breaks before the answer comes.
    AnswerLost,
    /// The connection breaks, and it reaches the server later.
    Late,
    /// It reaches nobody, and no answer comes.
    Silent,
    /// This status and error code are the answer, and it does not reach the server.
    Refused(u16, &'static str),
}

/// The faults that end with the request: they are over before a caller goes on.
pub const FAULTS: [Fate; 6] = [
    Fate::Lost,
    Fate::AnswerLost,
    Fate::AnswerLost,
    Fate::Refused(400, "ThrottlingException"),
    Fate::Refused(400, "ProvisionedThroughputExceededException"),
    Fate::Refused(500, "InternalServerError"),
];

/// Says what becomes of the n-th request (from 0) of an operation.
type Plan = Box<dyn FnMut(u64, &str) -> Fate + Send>;

struct Shared {
    server: String,
    counts: Mutex<BTreeMap<String, u64>>,
    planned: Mutex<Planned>,
}

struct Planned {
    plan: Plan,
    requests: u64,
    faults: u64,
}

/// A running proxy; it ends with this value.
pub struct Proxy {
    /// Where it answers.
    pub endpoint: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Starts one before this server.
    pub async fn start(server: &str, plan: impl FnMut(u64, &str) -> Fate + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let shared = Arc::new(Shared {
            server: server.trim_start_matches("http://").trim_end_matches('/').to_owned(),
            counts: Mutex::default(),
            planned: Mutex::new(Planned { plan: Box::new(plan), requests: 0, faults: 0 }),
        });
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let serving = shared.clone();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, serving.clone()));
            }
        });
        Self { endpoint, shared, task }
    }

    /// One whose faults, one in `one_in` requests, come by a seed.
    pub async fn faulty(server: &str, seed: u64, one_in: u64, faults: &'static [Fate]) -> Self {
        Self::start(server, move |n, _| {
            let dice = mixed(seed.wrapping_mul(0x1_0000_0000).wrapping_add(n));
            if dice.is_multiple_of(one_in) { faults[(dice >> 32) as usize % faults.len()] } else { Fate::Pass }
        })
        .await
    }

    /// The requests since the last call, by operation.
    pub fn take_counts(&self) -> BTreeMap<String, u64> {
        std::mem::take(&mut *self.shared.counts.lock().unwrap())
    }

    /// How many faults it made.
    pub fn faults(&self) -> u64 {
        self.shared.planned.lock().unwrap().faults
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// SplitMix64's finalizer: close numbers give distant ones.
pub fn mixed(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// One connection of the client: requests follow each other, so what the server sends until the next one is the answer.
async fn serve(mut client: TcpStream, shared: Arc<Shared>) {
    let _ = client.set_nodelay(true);
    let Ok(mut server) = TcpStream::connect(&shared.server).await else { return };
    let _ = server.set_nodelay(true);
    let (mut begun, mut answer) = (Vec::new(), vec![0; 64 * 1024]);
    loop {
        tokio::select! {
            received = client.read_buf(&mut begun) => if !matches!(received, Ok(1..)) { return },
            sent = server.read(&mut answer) => match sent {
                Ok(length @ 1..) => if client.write_all(&answer[..length]).await.is_err() { return },
                _ => return,
            },
        }
        while let Some(length) = request_length(&begun) {
            let request: Vec<u8> = begun.drain(..length).collect();
            match shared.fate_of(&request) {
                Fate::Pass => {
                    if server.write_all(&request).await.is_err() {
                        return;
                    }
                }
                Fate::Lost => return,
                Fate::AnswerLost => {
                    let _ = server.write_all(&request).await;
                    let _ = server.read(&mut answer).await;
                    return;
                }
                Fate::Late => {
                    drop(client);
                    tokio::time::sleep(Duration::from_millis(60)).await;
                    let _ = server.write_all(&request).await;
                    let _ = server.read(&mut answer).await;
                    return;
                }
                Fate::Silent => {
                    let _ = client.read(&mut answer).await;
                    return;
                }
                Fate::Refused(status, code) => {
                    let body =
                        format!(r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{code}","message":"by the proxy"}}"#);
                    let head = format!(
                        "HTTP/1.1 {status} Refused\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: {}\r\n\r\n",
                        body.len()
                    );
                    if client.write_all(format!("{head}{body}").as_bytes()).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}

impl Shared {
    fn fate_of(&self, request: &[u8]) -> Fate {
        let head = String::from_utf8_lossy(&request[..request.len().min(4_096)]).into_owned();
        let target = header(&head, "x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        *self.counts.lock().unwrap().entry(operation.clone()).or_default() += 1;
        let mut planned = self.planned.lock().unwrap();
        let number = planned.requests;
        planned.requests += 1;
        let fate = (planned.plan)(number, &operation);
        planned.faults += u64::from(fate != Fate::Pass);
        fate
    }
}

/// The length of the first request in these bytes, once it is complete.
fn request_length(bytes: &[u8]) -> Option<usize> {
    let head_end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&bytes[..head_end]);
    let body: usize = header(&head, "content-length").map_or(0, |length| length.parse().unwrap());
    (bytes.len() >= head_end + body).then_some(head_end + body)
}

fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}
