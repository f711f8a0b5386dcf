//! The way of a table's requests to S3: told to who counts them, and sent on the runtime that the table was opened on.
//!
//! The kernel may bring a runtime of its own that ends with its call; connections must not end with it.

use std::sync::Arc;

use async_trait::async_trait;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService, ReqwestConnector,
};
use tokio::runtime::Handle;

use super::S3Requests;

/// Makes clients whose requests are counted.
#[derive(Debug)]
pub(crate) struct Connector {
    requests: Option<Arc<dyn S3Requests>>,
    runtime: Handle,
}

impl Connector {
    pub(crate) fn new(requests: Option<Arc<dyn S3Requests>>, runtime: Handle) -> Self {
        Self { requests, runtime }
    }
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(Counted { client, requests: self.requests.clone(), runtime: self.runtime.clone() }))
    }
}

#[derive(Debug)]
struct Counted {
    client: HttpClient,
    requests: Option<Arc<dyn S3Requests>>,
    runtime: Handle,
}

#[async_trait]
impl HttpService for Counted {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        if let Some(requests) = &self.requests {
            requests.sent(operation(request.method().as_str(), request.uri().query().unwrap_or_default()));
        }
        let client = self.client.clone();
        let sent = self.runtime.spawn(async move { client.execute(request).await });
        sent.await.unwrap_or_else(|error| Err(HttpError::new(HttpErrorKind::Interrupted, error)))
    }
}

/// S3's name for a request of ours.
fn operation(method: &str, query: &str) -> &'static str {
    let lists = query.split('&').any(|word| word == "list-type=2");
    match method {
        "GET" if lists => "ListObjectsV2",
        "GET" => "GetObject",
        "HEAD" => "HeadObject",
        "PUT" => "PutObject",
        "DELETE" => "DeleteObject",
        "POST" => "DeleteObjects",
        _ => "Other",
    }
}

#[cfg(test)]
mod tests {
    use super::operation;

    #[test]
    fn a_listing_is_told_from_a_read() {
        assert_eq!(operation("GET", "list-type=2&prefix=a"), "ListObjectsV2");
        assert_eq!(operation("GET", "versionId=list-type=2"), "GetObject");
    }
}
