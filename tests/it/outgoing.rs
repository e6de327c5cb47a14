//! Calls to addresses that others name: which of them are refused.

use uitsmijter::outgoing::Outgoing;
use uitsmijter::outgoing::client::Policy;

#[tokio::test]
async fn a_private_address_is_refused_by_number_and_by_name() {
    let outgoing = Outgoing::new(Policy::Stranger);
    for (url, expected) in [
        ("https://127.0.0.1/", "private"),
        ("https://[::1]:8443/", "private"),
        ("https://2130706433/", "private"),
        ("https://localhost/", "private"),
        ("http://1.1.1.1/", "plain http"),
        ("file:///etc/passwd", "neither http nor https"),
    ] {
        let error = format!("{:#}", outgoing.get(url).await.err().unwrap());
        assert!(error.contains(expected), "{url}: {error}");
    }
}
