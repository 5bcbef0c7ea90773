//! Asking the masters of a list who leads: each of them all the time, over a connection that is kept.

use crate::{Detection, Told};
use std::net::SocketAddr;
use std::time::Duration;
use tepui_election::info;
use tepui_election::list::{self, Answer, Question};
use tepui_net::client::{Client, Error, Request};
use tepui_wire::Upid;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// How long a master may take to accept a connection.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
/// How long an answer may be held back if nothing changes.
const WAIT: Duration = Duration::from_secs(30);
/// How much later than asked for it may come, on a busy machine.
const GRACE: Duration = Duration::from_secs(10);
/// The pause after a master did not answer; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Its limit: how late a master that comes back is noticed.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// The pause before a master of Mesos is asked again: it holds no answer back, and there may be thousands who ask.
const PAUSE_OF_MESOS: Duration = Duration::from_secs(5);
/// The largest answer taken. A MasterInfo has some hundred bytes.
const MAX_ANSWER_BYTES: usize = 64 << 10;

/// What one master of the list says; nothing while it cannot be reached.
type Said = (usize, Option<Answer>);

/// Follows the masters for as long as anybody listens.
pub async fn follow(masters: Vec<String>, told: Told) {
    let (said, mut heard) = mpsc::channel(masters.len().max(1));
    let mut tasks = JoinSet::new();
    let mut answers: Vec<Option<Answer>> = vec![None; masters.len()];
    for (index, master) in masters.into_iter().enumerate() {
        tasks.spawn(ask(index, master, said.clone()));
    }
    let (mut best, mut beginnings) = (Answer::default(), 0);
    loop {
        let (index, answer) = tokio::select! {
            Some(said) = heard.recv() => said,
            () = told.closed() => return,
        };
        answers[index] = answer;
        let chosen = list::choose(answers.iter().flatten());
        // All masters have begun anew, and their epochs with them, if every single one says so.
        let began_anew = chosen.epoch < best.epoch && answers.iter().all(Option::is_some);
        if list::supersedes(&chosen, &best) || began_anew {
            best = chosen;
            beginnings += u64::from(began_anew);
            let epoch = (best.epoch > 0).then_some(best.epoch);
            told.tell(Detection { leader: best.leader.clone(), epoch, beginnings, trouble: None });
        }
    }
}

/// Asks one master again and again, and hands each answer on.
async fn ask(index: usize, master: String, said: mpsc::Sender<Said>) {
    let mut pause = FIRST_PAUSE;
    loop {
        let outcome = converse(index, &master, &said, &mut pause).await;
        tracing::debug!(master, error = ?outcome.err(), "a master does not say who leads");
        if said.send((index, None)).await.is_err() {
            return;
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("no answer in time")]
    Late(#[from] tokio::time::error::Elapsed),
    #[error(transparent)]
    Http(#[from] Error),
    #[error("status {0}")]
    Status(u16),
    #[error(transparent)]
    Unreadable(#[from] tepui_proto::json::Error),
    #[error("nobody listens")]
    Unheard,
}

/// Asks over one connection until it breaks.
async fn converse(index: usize, master: &str, said: &mpsc::Sender<Said>, pause: &mut Duration) -> Result<(), Trouble> {
    let mut client = timeout(CONNECT_WITHIN, Client::connect(master)).await??;
    let mut last: Option<Answer> = None;
    loop {
        let question = last.as_ref().map_or_else(Question::default, |answer| Question::after(answer, WAIT));
        let response = timeout(WAIT + GRACE, client.send(Request::get(&question.target()))).await??;
        let answer = match response.status {
            200 => Answer::parse(&timeout(GRACE, response.bytes(MAX_ANSWER_BYTES)).await??)?,
            404 => {
                timeout(GRACE, response.bytes(MAX_ANSWER_BYTES)).await??;
                let leader = redirect(&mut client).await?;
                *pause = FIRST_PAUSE;
                said.send((index, Some(leader))).await.map_err(|_| Trouble::Unheard)?;
                sleep(PAUSE_OF_MESOS).await;
                continue;
            }
            status => return Err(Trouble::Status(status)),
        };
        *pause = FIRST_PAUSE;
        if last.as_ref() == Some(&answer) {
            // It may have waited as long as it was asked to, or does not hold answers back at all.
            sleep(LONGEST_PAUSE).await;
            continue;
        }
        last = Some(answer.clone());
        said.send((index, Some(answer))).await.map_err(|_| Trouble::Unheard)?;
    }
}

/// Asks a master of Mesos, which sends to the leader whoever asks for `/master/redirect`.
async fn redirect(client: &mut Client) -> Result<Answer, Trouble> {
    let response = timeout(GRACE, client.send(Request::get("/master/redirect"))).await??;
    let location = response.header("location").map(str::to_owned);
    let status = response.status;
    timeout(GRACE, response.bytes(MAX_ANSWER_BYTES)).await??;
    let address = match (status, location) {
        (307, Some(location)) => location.rsplit_once("//").map(|(_, rest)| rest.trim_end_matches('/').to_owned()),
        (503, _) => None,
        _ => return Err(Trouble::Status(status)),
    };
    let pid = match address {
        Some(address) => resolve(&address).await,
        None => None,
    };
    let leader = pid.map(|pid| std::sync::Arc::new(info::of_pid(&pid, &pid.to_string())));
    Ok(Answer { epoch: 0, leader })
}

/// The process `master` at `host:port`, if that can be found.
pub async fn resolve(address: &str) -> Option<Upid> {
    let addresses = tokio::net::lookup_host(address).await;
    let addresses = addresses.inspect_err(|error| tracing::error!(master = address, %error, "no such master"));
    addresses.ok()?.find_map(|address| match address {
        SocketAddr::V4(address) => Some(Upid::at("master", address)),
        SocketAddr::V6(_) => None,
    })
}
