//! `control`: any bytes as a request on the control socket.

use failoverd::control::{Refusal, Request};

pub fn run(data: &[u8]) {
    match Request::parse(data) {
        Ok(request) => {
            let text = serde_json::to_vec(&request).expect("JSON");
            assert_eq!(Request::parse(&text), Ok(request));
        }
        Err(refusal) => {
            // One line is the answer, whatever was asked.
            let text = serde_json::to_string(&refusal).expect("JSON");
            assert!(!text.contains('\n'));
            assert!(text.len() < 1024, "{text}");
            let again: Refusal = serde_json::from_str(&text).expect("a refusal");
            assert_eq!(again, refusal);
        }
    }
}
