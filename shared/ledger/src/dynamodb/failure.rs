//! Why a request to DynamoDB failed: the SDK's errors in words for the user, in one place.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use crate::LedgerError;

/// Why an operation failed, before it is known what was tried on which table.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    reason: String,
    passing: bool,
}

impl Failure {
    /// A failure that stays until somebody acts.
    pub(super) fn lasting(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), passing: false }
    }

    /// A failure that can be over at the next try.
    pub(super) fn passing(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), passing: true }
    }

    /// An item that is not as this program writes it.
    pub(super) fn unreadable(what: impl std::fmt::Display) -> Self {
        Self::lasting(format!(
            "an item in it cannot be read ({what}): another program or a newer Lithify wrote it, restore the table from its \
             point-in-time recovery or use that version"
        ))
    }

    /// The error that the caller sees.
    pub(super) fn into_error(self, action: &'static str, table: &str) -> LedgerError {
        LedgerError { action, reason: format!("DynamoDB table '{table}': {}", self.reason), passing: self.passing }
    }

    /// A service's answer by its code (the common and the operations' errors of DynamoDB's API reference) and HTTP status.
    ///
    /// Of what it told the first line alone: where a signature is wrong the others repeat what was to be signed, the session's token
    /// included, and messages go into logs.
    fn of_service(code: &str, status: u16, told: &str) -> Self {
        let told = told.lines().next().unwrap_or_default();
        match code {
            "ResourceNotFoundException" | "TableNotFoundException" => Self::lasting(format!(
                "there is no such table in this account and region ({told}): check the ledger's name and AWS_REGION, or make \
                 it with terraform apply"
            )),
            "AccessDeniedException"
            | "UnrecognizedClientException"
            | "InvalidClientTokenId"
            | "MissingAuthenticationToken"
            | "MissingAuthenticationTokenException"
            | "InvalidSignatureException"
            | "IncompleteSignature"
            | "IncompleteSignatureException"
            | "NotAuthorized"
            | "OptInRequired" => Self::lasting(format!(
                "AWS refused the request ({code}: {told}): check the credentials, and that their role may use this table \
                     and its KMS key"
            )),
            "ThrottlingException"
            | "Throttling"
            | "ProvisionedThroughputExceededException"
            | "RequestLimitExceeded"
            | "LimitExceededException" => {
                Self::passing(format!("DynamoDB throttles ({code}: {told}): try again later"))
            }
            "TransactionInProgressException" | "TransactionConflictException" => {
                Self::passing(format!("another transaction is at work on the same item ({told}): try again"))
            }
            "ExpiredTokenException"
            | "ExpiredToken"
            | "RequestExpired"
            | "RequestTimeout"
            | "RequestTimeoutException" => {
                Self::passing(format!("the request came too late ({code}: {told}): try again"))
            }
            _ if status >= 500 => {
                Self::passing(format!("DynamoDB failed ({code}, status {status}: {told}): try again"))
            }
            _ => Self::lasting(format!("DynamoDB refused the request ({code}, status {status}: {told})")),
        }
    }
}

impl<E> From<SdkError<E, HttpResponse>> for Failure
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    fn from(error: SdkError<E, HttpResponse>) -> Self {
        match &error {
            SdkError::ServiceError(answer) => {
                let (meta, status) = (answer.err().meta(), answer.raw().status().as_u16());
                Self::of_service(meta.code().unwrap_or("no code"), status, meta.message().unwrap_or("no message"))
            }
            SdkError::TimeoutError(_) | SdkError::ResponseError(_) => {
                Self::passing(format!("no answer that can be used came ({}): try again", drops::causes(&error)))
            }
            SdkError::DispatchFailure(failure) if !failure.is_user() => Self::passing(format!(
                "DynamoDB could not be reached ({}): check the network and the credentials' source, and try again",
                drops::causes(&error)
            )),
            _ => Self::lasting(format!("the request could not be made ({})", drops::causes(&error))),
        }
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::unreadable(error)
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::operation::put_item::PutItemError;

    use super::*;

    #[test]
    fn what_passes_is_told_from_what_stays() {
        for (code, status) in [
            ("ThrottlingException", 400),
            ("ProvisionedThroughputExceededException", 400),
            ("TransactionConflictException", 400),
            ("ExpiredTokenException", 400),
            ("InternalServerError", 500),
            ("no code", 503),
        ] {
            assert!(Failure::of_service(code, status, "x").passing, "{code}");
        }
        let late = Failure::from(SdkError::<PutItemError, HttpResponse>::timeout_error("late"));
        assert!(late.passing && late.reason.contains("no answer"), "{late:?}");
        let signature = Failure::of_service("InvalidSignatureException", 400, "It is wrong.\n\nx-amz-security-token:t");
        assert!(signature.reason.contains("It is wrong.") && !signature.reason.contains("token:t"), "{signature:?}");
        for (code, say) in [
            ("ResourceNotFoundException", "terraform apply"),
            ("AccessDeniedException", "role"),
            ("ValidationException", "ValidationException"),
        ] {
            let error = Failure::of_service(code, 400, "why").into_error("claim drops", "orders-ledger");
            assert!(!error.passing, "{code}");
            let text = error.to_string();
            for part in ["claim drops", "'orders-ledger'", "why", say] {
                assert!(text.contains(part), "{part} is not in {text}");
            }
        }
    }
}
