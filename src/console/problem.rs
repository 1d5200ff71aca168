//! What went wrong, for programs as problem details (RFC 9457), for people as a page.

use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;
use warp::reply::Response;

use super::data::finding::Finding;
use crate::editing::EditError;
use crate::store::StoreError;

/// The media type of problem details.
pub(super) const CONTENT_TYPE: &str = "application/problem+json";

/// Problem details (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Problem {
    /// What kind of problem it is; `about:blank` says that the status tells all.
    #[serde(rename = "type")]
    #[schema(example = "about:blank")]
    kind: &'static str,
    /// The status in words.
    title: &'static str,
    /// The status of the answer.
    #[serde(serialize_with = "number")]
    #[schema(value_type = u16, example = 404)]
    status: StatusCode,
    /// What is wrong with this request, and what to do.
    detail: String,
    /// What is wrong with rule files, where the request was about these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<Finding>,
    #[serde(skip)]
    allow: Option<Box<str>>,
    #[serde(skip)]
    retry_after: Option<u64>,
}

fn number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

impl Problem {
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status,
            detail: detail.into(),
            findings: Vec::new(),
            allow: None,
            retry_after: None,
        }
    }

    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is no such thing here")
    }

    pub fn unsupported_media_type(wanted: &str) -> Self {
        let detail = format!("send the body as {wanted}");
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)
    }

    /// The path is right, the method is not.
    pub fn method_not_allowed(allow: String) -> Self {
        let detail = format!("this takes {allow}");
        Self {
            allow: Some(allow.into()),
            ..Self::new(StatusCode::METHOD_NOT_ALLOWED, detail)
        }
    }

    /// Too many attempts; the next one counts after so many seconds.
    pub fn too_many(seconds: u64, detail: impl Into<String>) -> Self {
        Self {
            retry_after: Some(seconds),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, detail)
        }
    }

    /// What the request asks for does not fit with what is there now.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }

    /// The request is understood, but what it says can't be done.
    pub fn unprocessable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    /// With what `check` found in rule files.
    pub fn with_findings(self, findings: Vec<Finding>) -> Self {
        Self { findings, ..self }
    }

    pub fn status(&self) -> StatusCode {
        self.status
    }

    pub fn detail(&self) -> &str {
        &self.detail
    }

    pub fn into_findings(self) -> Vec<Finding> {
        self.findings
    }

    pub fn into_json(self) -> Response {
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = Response::new(body.into());
        let value = HeaderValue::from_static(CONTENT_TYPE);
        response.headers_mut().insert(header::CONTENT_TYPE, value);
        self.head(response)
    }

    /// Gives an answer this problem's status and headers.
    pub fn head(&self, mut response: Response) -> Response {
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if let Some(allow) = self.allow.as_deref().and_then(|allow| allow.parse().ok()) {
            headers.insert(header::ALLOW, allow);
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            let value = HeaderValue::from_static("Basic realm=\"wxreply\", charset=\"UTF-8\"");
            headers.insert(header::WWW_AUTHENTICATE, value);
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the console can't read or write the database");
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("the database does not answer: {error}"),
        )
    }
}

impl From<EditError> for Problem {
    fn from(error: EditError) -> Self {
        let told = error.to_string();
        match error {
            EditError::Path { .. } | EditError::LoneFile(_) | EditError::NotSimple(_) => {
                Self::unprocessable(told)
            }
            EditError::Conflict { .. } => Self::conflict(told),
            EditError::NoFile(_) | EditError::NoVersion(_) => Self::new(StatusCode::NOT_FOUND, told),
            EditError::Refused(findings) => {
                let findings = Finding::all(&findings);
                Self::unprocessable("the rules can't be used like this, so nothing was saved")
                    .with_findings(findings)
            }
            EditError::Busy(_) => Self::too_many(2, told),
            EditError::Store(error) => error.into(),
            EditError::Linked { .. } | EditError::Write { .. } => Self::conflict(told),
            EditError::Read(_) | EditError::Archive(_) | EditError::BrokeOff(_) => {
                tracing::error!("the console can't work on the rules: {told}");
                Self::new(StatusCode::SERVICE_UNAVAILABLE, told)
            }
        }
    }
}
