//! Claims: who is granted what, and that every key is its own.

use drops::DropId;

use crate::{ClaimOutcome, Expected, Ledger};

use super::support::{claim_by, drop_of, fresh, must, pipeline};

/// The first claim stands; the same batch is granted again, another is told who holds it, and nothing changes by either.
pub async fn granted_once_and_again_on_a_retry(ledger: &dyn Ledger) {
    assert_eq!(must(ledger.claims(&[drop_of("a")]).await), [None]);
    assert_eq!(must(ledger.claim(&[]).await), []);
    assert_eq!(must(ledger.claims(&[]).await), []);
    assert_eq!(must(ledger.claim(&[fresh("a", 1)]).await), [ClaimOutcome::Granted]);
    assert_eq!(must(ledger.claim(&[fresh("a", 1)]).await), [ClaimOutcome::Granted], "a retry after a lost reply");
    let mut later = fresh("a", 1);
    later.2.etag = "another".to_owned();
    assert_eq!(must(ledger.claim(&[later]).await), [ClaimOutcome::Granted]);
    assert_eq!(must(ledger.claim(&[fresh("a", 2)]).await), [ClaimOutcome::Held(claim_by(1))]);
    assert_eq!(must(ledger.claims(&[drop_of("a")]).await), [Some(claim_by(1))]);
}

/// A take-over is granted only if the claim of the batch that it names stands.
pub async fn taken_over_only_from_the_named_batch(ledger: &dyn Ledger) {
    let over = |from: u64, to: u64| [(drop_of("a"), Expected::HeldBy(claim_by(from).batch), claim_by(to))];
    assert_eq!(must(ledger.claim(&[fresh("a", 1)]).await), [ClaimOutcome::Granted]);
    assert_eq!(must(ledger.claim(&over(2, 3)).await), [ClaimOutcome::Held(claim_by(1))]);
    assert_eq!(must(ledger.claim(&over(1, 9)).await), [ClaimOutcome::Granted]);
    assert_eq!(must(ledger.claim(&over(1, 9)).await), [ClaimOutcome::Granted], "a retry after a lost reply");
    assert_eq!(must(ledger.claim(&over(1, 3)).await), [ClaimOutcome::Held(claim_by(9))], "it was taken over before");
    assert_eq!(must(ledger.claim(&[fresh("a", 1)]).await), [ClaimOutcome::Held(claim_by(9))]);
    assert_eq!(must(ledger.claims(&[drop_of("a")]).await), [Some(claim_by(9))]);
    assert_eq!(
        must(ledger.claim(&over(9, 1)).await),
        [ClaimOutcome::Granted],
        "an id that held it before can hold it again"
    );
}

/// Claims never vanish: a take-over where none stands is an error and claims nothing.
pub async fn taken_over_from_nothing_is_an_error(ledger: &dyn Ledger) {
    let wanted = [(drop_of("a"), Expected::HeldBy(claim_by(1).batch), claim_by(2))];
    assert!(ledger.claim(&wanted).await.is_err());
    assert_eq!(must(ledger.claims(&[drop_of("a")]).await), [None]);
    assert_eq!(must(ledger.claim(&[fresh("a", 3)]).await), [ClaimOutcome::Granted], "later calls are not harmed");
}

/// One call's outcomes are independent and in the drops' order, as are the claims that are read.
pub async fn each_by_itself_and_in_order(ledger: &dyn Ledger) {
    let _ = must(ledger.claim(&[fresh("c", 1), fresh("a", 2)]).await);
    let wanted = [
        fresh("d", 3),
        fresh("c", 3),
        (drop_of("a"), Expected::HeldBy(claim_by(2).batch), claim_by(3)),
        fresh("b", 3),
        (drop_of("c"), Expected::HeldBy(claim_by(2).batch), claim_by(3)),
        fresh("d", 4),
        fresh("e", 4),
    ];
    let (granted, held) = (ClaimOutcome::Granted, |n| ClaimOutcome::Held(claim_by(n)));
    assert_eq!(
        must(ledger.claim(&wanted).await),
        [granted.clone(), held(1), granted.clone(), granted.clone(), held(1), held(3), granted]
    );
    let ids = ["e", "x", "b", "a", "c", "d", "b"].map(drop_of);
    let stand = [Some(4), None, Some(3), Some(3), Some(1), Some(3), Some(3)].map(|n| n.map(claim_by));
    assert_eq!(must(ledger.claims(&ids).await), stand);
    assert_eq!(must(ledger.count_claims(&pipeline("p")).await), 5);
}

/// Keys that differ in a byte are different drops, whatever the bytes are.
pub async fn keys_come_back_as_they_were(ledger: &dyn Ledger) {
    let long = "k".repeat(1_023);
    let mut ids: Vec<DropId> = [
        "a b",
        "a+b",
        "a%20b",
        "a%2Bb",
        "a b ",
        " a b",
        "A b",
        "a=b/c=d.json",
        "@",
        "a@1",
        "#",
        "a#b",
        "pipe#p",
        "a/b",
        "a//b",
        "./a",
        "../a",
        "é",
        "e\u{301}",
        "日本 語.json",
        "🪨",
        "'",
        "\"",
        "%",
        "_",
        "a_b",
        "a*",
        "\\",
        "a\tb",
        "a\nb",
        "\u{7f}",
        "NULL",
    ]
    .map(drop_of)
    .to_vec();
    ids.extend(["a", "b"].map(|end| drop_of(&format!("{long}{end}"))));
    ids.push(drop_of(&"é".repeat(512)));
    let version =
        |version: &str| DropId { version: Some(version.to_owned()), key: "versioned".to_owned(), ..drop_of("") };
    ids.extend([version("1"), version("2"), version("null"), DropId { version: None, ..version("1") }]);
    ids.push(DropId { bucket: String::new(), ..drop_of("in/a/folder.json") });
    let claims: Vec<_> = (0..).zip(&ids).map(|(n, _)| claim_by(n)).collect();
    let wanted: Vec<_> =
        ids.iter().zip(&claims).map(|(id, claim)| (id.clone(), Expected::Absent, claim.clone())).collect();
    for part in wanted.chunks(7) {
        assert_eq!(must(ledger.claim(part).await), vec![ClaimOutcome::Granted; part.len()], "{part:?}");
    }
    assert_eq!(must(ledger.claims(&ids).await), claims.into_iter().map(Some).collect::<Vec<_>>());
    assert_eq!(must(ledger.count_claims(&pipeline("p")).await), ids.len() as u64);
}

/// The same key in two pipelines is two drops, also when one call names both.
pub async fn pipelines_do_not_mix(ledger: &dyn Ledger) {
    let of = |name: &str| DropId { pipeline: pipeline(name), ..drop_of("a") };
    assert_eq!(must(ledger.claim(&[(of("p"), Expected::Absent, claim_by(1))]).await), [ClaimOutcome::Granted]);
    assert_eq!(must(ledger.claims(&[of("p2"), of("p"), of("P")]).await), [None, Some(claim_by(1)), None]);
    let wanted = [(of("p2"), Expected::Absent, claim_by(2)), (of("p"), Expected::Absent, claim_by(2))];
    assert_eq!(must(ledger.claim(&wanted).await), [ClaimOutcome::Granted, ClaimOutcome::Held(claim_by(1))]);
    assert_eq!(must(ledger.claims(&[of("p2"), of("p"), of("P")]).await), [Some(claim_by(2)), Some(claim_by(1)), None]);
    assert_eq!(must(ledger.count_claims(&pipeline("p2")).await), 1);
    assert_eq!(must(ledger.count_claims(&pipeline("P")).await), 0);
}

/// A large call is answered row by row.
pub async fn ten_thousand_in_one_call(ledger: &dyn Ledger) {
    let key = |n: u64| format!("topics/orders/partition={}/orders+{}+{:010}.json", n % 7, n % 7, n);
    let every_third: Vec<_> = (0..10_000).step_by(3).map(|n| fresh(&key(n), 1)).collect();
    assert!(must(ledger.claim(&every_third).await).iter().all(|outcome| *outcome == ClaimOutcome::Granted));
    let all: Vec<_> = (0..10_000).map(|n| fresh(&key(n), 2)).collect();
    for (n, outcome) in must(ledger.claim(&all).await).into_iter().enumerate() {
        let expected = if n % 3 == 0 { ClaimOutcome::Held(claim_by(1)) } else { ClaimOutcome::Granted };
        assert_eq!(outcome, expected, "{n}");
    }
    let ids: Vec<_> = (0..10_000).map(|n| drop_of(&key(n))).collect();
    for (n, claim) in must(ledger.claims(&ids).await).into_iter().enumerate() {
        assert_eq!(claim, Some(claim_by(if n % 3 == 0 { 1 } else { 2 })), "{n}");
    }
    assert_eq!(must(ledger.count_claims(&pipeline("p")).await), 10_000);
}
