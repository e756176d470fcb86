//! Asks the gateways what they serve (`GET /debug/served` at their admin addresses), while somebody waits for it.

mod fetch;

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use mcwan_k8s::operator::Awaited;
use mcwan_k8s::served::Served;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Pause after the first answer that was not the awaited one; it doubles …
const FIRST: Duration = Duration::from_millis(100);
/// … up to this.
const LONGEST: Duration = Duration::from_secs(2);

/// Asks, as long as `awaited` names somebody, and publishes the answers. A process that does not answer has no part in
/// them. Ends with `stop`.
pub async fn ask(
    mut awaited: watch::Receiver<Vec<Awaited>>,
    served: watch::Sender<Arc<Vec<Served>>>,
    stop: CancellationToken,
) {
    let mut pause = FIRST;
    loop {
        let whom = awaited.borrow_and_update().clone();
        if !whom.is_empty() {
            let answers = tokio::select! {
                answers = round(&whom) => answers,
                () = stop.cancelled() => return,
            };
            let news = publish(&served, &whom, answers);
            pause = if news {
                FIRST
            } else {
                (pause * 2).min(LONGEST)
            };
        }
        tokio::select! {
            () = sleep(pause), if !whom.is_empty() => {}
            changed = awaited.changed() => {
                if changed.is_err() {
                    return;
                }
                pause = FIRST;
            }
            () = stop.cancelled() => return,
        }
    }
}

/// One answer, or none, of each process of each Gateway.
async fn round(whom: &[Awaited]) -> Vec<Served> {
    let asked = whom.iter().flat_map(|one| {
        one.addresses.iter().map(move |address| async move {
            let answer = fetch::served(address).await;
            if let Err(error) = &answer {
                tracing::debug!(address, error = %format!("{error:#}"), "a gateway does not say what it serves");
            }
            // An address may have become another Gateway's.
            let key = (one.gateway.0.as_str(), one.gateway.1.as_str());
            answer.ok().filter(|s| (s.namespace.as_str(), s.name.as_str()) == key)
        })
    });
    join_all(asked).await.into_iter().flatten().collect()
}

/// Puts the answers in the place of earlier ones of the same Gateways. Whether that is news.
fn publish(
    served: &watch::Sender<Arc<Vec<Served>>>,
    whom: &[Awaited],
    answers: Vec<Served>,
) -> bool {
    let asked = |s: &Served| {
        whom.iter()
            .any(|w| w.gateway.0 == s.namespace && w.gateway.1 == s.name)
    };
    served.send_if_modified(|known| {
        let others = known.iter().filter(|s| !asked(s)).cloned();
        let all: Vec<Served> = others.chain(answers).collect();
        let news = all != **known;
        *known = Arc::new(all);
        news
    })
}

#[cfg(test)]
mod tests;
