//! Masters that elect one among themselves, in one process, over real sockets and directories.

use std::collections::BTreeSet;
use std::net::SocketAddrV4;
use std::time::{Duration, Instant};
use tepui_election::list::{Answer, Question};
use tepui_masterd::{Running, Settings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Fails a test that hangs; far beyond what any step takes.
const SOON: Duration = Duration::from_secs(60);

/// Addresses that are free now: a list has to be known before its masters are started.
async fn addresses(count: usize) -> Vec<SocketAddrV4> {
    let mut taken = Vec::new();
    for _ in 0..count {
        taken.push(TcpListener::bind("127.0.0.1:0").await.unwrap());
    }
    let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
    taken.iter().map(|listener| SocketAddrV4::new([127, 0, 0, 1].into(), port(listener))).collect()
}

fn settings(at: SocketAddrV4, list: &[SocketAddrV4], work: &std::path::Path) -> Settings {
    settings_with(&[], at, list, work)
}

fn settings_with(more: &[&str], at: SocketAddrV4, list: &[SocketAddrV4], work: &std::path::Path) -> Settings {
    let list: Vec<String> = list.iter().map(ToString::to_string).collect();
    let mut args = vec![
        "--ip=127.0.0.1".to_owned(),
        format!("--port={}", at.port()),
        format!("--work_dir={}", work.join(at.port().to_string()).display()),
        format!("--masters={}", list.join(",")),
    ];
    args.extend(more.iter().map(|flag| (*flag).to_owned()));
    let tables = [tepui_flags::master::FLAGS, tepui_flags::logging::FLAGS];
    let values = tepui_flags::parse(&tables, &args, &[], "MESOS_", &|_| unreachable!("no file")).unwrap();
    Settings::new(values, |_| None).unwrap()
}

async fn get(master: SocketAddrV4, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(master).await.ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

async fn says(master: SocketAddrV4) -> Option<Answer> {
    let (status, body) = get(master, &Question::default().target()).await?;
    (status == 200).then(|| Answer::parse(body.as_bytes()).unwrap())
}

/// Waits until all of these name the same leader, in an epoch after this one, and it serves what only a leader does.
async fn agree(masters: &[SocketAddrV4], after: u64) -> (SocketAddrV4, u64) {
    let until = Instant::now() + SOON;
    loop {
        let mut said = BTreeSet::new();
        for master in masters {
            let answer = says(*master).await.unwrap_or_default();
            said.insert((answer.leader.and_then(|info| info.pid.clone()), answer.epoch));
        }
        if let (1, Some((Some(pid), epoch))) = (said.len(), said.first())
            && *epoch > after
        {
            let leader = pid.strip_prefix("master@").unwrap().parse().unwrap();
            if get(leader, "/maintenance/status").await.is_some_and(|(status, _)| status == 200) {
                return (leader, *epoch);
            }
        }
        assert!(Instant::now() < until, "{said:?}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_masters_elect_one_and_then_another() {
    let (list, work) = (addresses(3).await, tempfile::tempdir().unwrap());
    let mut masters: Vec<Running> = Vec::new();
    for at in &list {
        masters.push(tepui_masterd::start(settings(*at, &list, work.path())).await.unwrap());
    }
    let (first, epoch) = agree(&list, 0).await;
    let follower = *list.iter().find(|at| **at != first).unwrap();
    assert_eq!(get(follower, "/maintenance/status").await.unwrap().0, 307, "it sends everybody to the leader");

    let (_, metrics) = get(follower, "/metrics/snapshot").await.unwrap();
    assert!(metrics.contains("\"registrar/log/ensemble_size\":3.0"), "{metrics}");
    assert!(metrics.contains("\"registrar/log/recovered\":"), "{metrics}");

    let place = masters.iter().position(|master| master.address() == first).unwrap();
    masters.remove(place).stop().await;
    let left: Vec<_> = list.iter().copied().filter(|at| *at != first).collect();
    let (second, later) = agree(&left, epoch).await;
    assert!(second != first && later > epoch);

    masters.push(tepui_masterd::start(settings(first, &list, work.path())).await.unwrap());
    assert_eq!(agree(&list, epoch).await, (second, later), "who comes back follows");
    for master in masters {
        master.stop().await;
    }
}

/// As the documentation has it: what one master has decided alone must be held by a majority of the larger group.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_grows_is_refused_until_it_is_accepted() {
    let (list, work) = (addresses(3).await, tempfile::tempdir().unwrap());
    let alone = tepui_masterd::start(settings(list[0], &list[..1], work.path())).await.unwrap();
    let (_, epoch) = agree(&list[..1], 0).await;
    alone.stop().await;
    let log = |at: SocketAddrV4| work.path().join(at.port().to_string()).join("replicated_log");
    std::fs::create_dir_all(log(list[1])).unwrap();
    for file in std::fs::read_dir(log(list[0])).unwrap().map(Result::unwrap) {
        std::fs::copy(file.path(), log(list[1]).join(file.file_name())).unwrap();
    }
    let error = tepui_masterd::start(settings(list[0], &list, work.path())).await.err().unwrap().to_string();
    assert!(error.starts_with("the quorum is 2, but this log was last started with a quorum of 1"), "{error}");
    assert!(error.contains("give --accept_other_quorum for this one start"), "{error}");
    let mut masters: Vec<Running> = Vec::new();
    for at in &list {
        let accepting = settings_with(&["--accept_other_quorum"], *at, &list, work.path());
        masters.push(tepui_masterd::start(accepting).await.unwrap());
    }
    agree(&list, epoch).await;
    for master in masters {
        master.stop().await;
    }
    tepui_masterd::start(settings(list[0], &list, work.path())).await.unwrap().stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_minority_has_no_leader() {
    let (list, work) = (addresses(3).await, tempfile::tempdir().unwrap());
    let mut masters: Vec<Running> = Vec::new();
    for at in &list {
        masters.push(tepui_masterd::start(settings(*at, &list, work.path())).await.unwrap());
    }
    let (leader, epoch) = agree(&list, 0).await;
    // The two others end without a word to anybody.
    let place = masters.iter().position(|master| master.address() == leader).unwrap();
    let left = masters.swap_remove(place);
    for master in masters {
        master.stop().await;
    }
    // It steps down when its lease is over, and says so.
    let until = Instant::now() + SOON;
    while says(leader).await != Some(Answer { epoch, leader: None })
        || get(leader, "/maintenance/status").await.is_none_or(|(status, _)| status != 503)
    {
        assert!(Instant::now() < until, "it still leads");
    }
    left.stop().await;
}

#[tokio::test]
async fn a_master_that_is_not_in_its_list_does_not_start() {
    let (list, work) = (addresses(2).await, tempfile::tempdir().unwrap());
    let error = tepui_masterd::start(settings(list[0], &list[1..], work.path())).await.err().unwrap();
    assert!(error.to_string().contains("does not name this master"), "{error}");
}
