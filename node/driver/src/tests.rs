use super::*;
use std::sync::Mutex;
use std::time::Duration;
use tepui_base::{Instant, WriteKey};

/// Inputs from here on are written lazily.
const LAZY: u64 = 100;

/// Counts; writes odd inputs down and reports them once durable, large ones lazily; reports its timer.
#[derive(Default)]
struct Counter {
    due: Option<Instant>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Effect {
    Write(u64),
    Tell(u64),
    Timer,
}

impl Machine for Counter {
    type Input = u64;
    type Effect = Effect;

    fn handle(&mut self, now: Now, input: u64, out: &mut Outbox<Effect>) {
        match input {
            0 => self.due = Some(now.monotonic + Duration::from_millis(50)),
            n if n >= LAZY => out.lazy(Effect::Write(n)),
            n if n % 2 == 1 => {
                out.write(WriteKey(n), Effect::Write(n));
                out.after(WriteKey(n), Effect::Tell(n));
            }
            n => out.push(Effect::Tell(n)),
        }
    }

    fn tick(&mut self, _: Now, out: &mut Outbox<Effect>) {
        self.due = None;
        out.push(Effect::Timer);
    }

    fn deadline(&self) -> Option<Instant> {
        self.due
    }
}

#[derive(Clone, Default)]
struct Log {
    seen: Arc<Mutex<Vec<Effect>>>,
    disk_is_full: bool,
}

impl World<Effect> for Log {
    fn apply(&mut self, effect: Effect) {
        self.seen.lock().unwrap().push(effect);
    }

    fn sync(&mut self, writes: Vec<Effect>) -> Syncing {
        let (seen, full) = (self.seen.clone(), self.disk_is_full);
        Box::pin(async move {
            tokio::task::yield_now().await;
            seen.lock().unwrap().extend(writes);
            if full { Err(SyncFailed("No space left on device".into())) } else { Ok(()) }
        })
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_the_disk_leaves_after_it() {
    let (driver, mailbox) = Driver::new(Counter::default(), Clock::default());
    let log = Log::default();
    let running = tokio::spawn(driver.run(log.clone()));
    for input in [1, 2, 3] {
        mailbox.intake(input, 0).await;
    }
    mailbox.post(0);
    assert_eq!(mailbox.inspect(|machine| machine.due.is_some()).await, Some(true));
    tokio::time::sleep(Duration::from_millis(60)).await;
    drop(mailbox);
    running.await.unwrap().unwrap();
    let seen = log.seen.lock().unwrap().clone();
    let at = |effect: Effect| seen.iter().position(|e| *e == effect).unwrap();
    assert!(at(Effect::Tell(2)) < at(Effect::Tell(1)), "a free effect does not wait: {seen:?}");
    assert!(at(Effect::Write(1)) < at(Effect::Tell(1)) && at(Effect::Write(3)) < at(Effect::Tell(3)));
    assert_eq!(seen.last(), Some(&Effect::Timer));
}

/// Also what was written while another sync was under way.
#[tokio::test]
async fn a_mailbox_that_is_closed_ends_the_machine_once_all_is_written() {
    for inputs in [&[LAZY][..], &[1, LAZY], &[1, LAZY, 3], &[1, 3, LAZY]] {
        let (driver, mailbox) = Driver::new(Counter::default(), Clock::default());
        let log = Log::default();
        let running = tokio::spawn(driver.run(log.clone()));
        for input in inputs {
            mailbox.post(*input);
            assert!(mailbox.inspect(|_| ()).await.is_some());
        }
        mailbox.close();
        mailbox.post(5);
        running.await.unwrap().unwrap();
        let seen = log.seen.lock().unwrap().clone();
        let written = seen.into_iter().filter(|effect| matches!(effect, Effect::Write(_)));
        assert_eq!(written.collect::<Vec<_>>(), inputs.iter().map(|input| Effect::Write(*input)).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_failed_write_stops_the_machine_and_what_waited_never_leaves() {
    let (driver, mailbox) = Driver::new(Counter::default(), Clock::default());
    let log = Log { disk_is_full: true, ..Default::default() };
    let running = tokio::spawn(driver.run(log.clone()));
    mailbox.post(1);
    assert!(running.await.unwrap().is_err());
    assert_eq!(*log.seen.lock().unwrap(), [Effect::Write(1)]);
    assert_eq!(mailbox.inspect(|_| ()).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_recording_replays_to_the_same_effects() {
    let bytes = Arc::new(Mutex::new(Vec::new()));
    struct Shared(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Shared {
        fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend(data);
            Ok(data.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let (driver, mailbox) = Driver::new(Counter::default(), Clock::default());
    let recorder = Recorder::new(Box::new(Shared(bytes.clone())), b"how it was made");
    let log = Log::default();
    let running = tokio::spawn(driver.recorded(recorder).run(log.clone()));
    for input in [2, 0, 4] {
        mailbox.post(input);
    }
    tokio::time::sleep(Duration::from_millis(60)).await;
    drop(mailbox);
    running.await.unwrap().unwrap();
    let bytes = bytes.lock().unwrap();
    let (header, frames) = open(&bytes).unwrap();
    assert_eq!(header, b"how it was made");
    let mut seen = Vec::new();
    let see = |_, _, entry| match entry {
        tepui_base::machine::Entry::Free(effect) => seen.push(effect),
        other => panic!("{other:?}"),
    };
    assert_eq!(replay(frames, &mut Counter::default(), see), Ok(4), "three inputs and a tick");
    assert_eq!(seen, *log.seen.lock().unwrap());
    let torn = replay(&frames[..frames.len() - 1], &mut Counter::default(), |_, _, _| ());
    assert_eq!(torn, Err(ReplayError::Torn(4)));
}

/// Fails at its first input.
struct Broken;

impl Machine for Broken {
    type Input = u64;
    type Effect = Effect;

    fn handle(&mut self, _: Now, _: u64, _: &mut Outbox<Effect>) {
        panic!("an invariant does not hold");
    }

    fn tick(&mut self, _: Now, _: &mut Outbox<Effect>) {}

    fn deadline(&self) -> Option<Instant> {
        None
    }
}

/// Set for the process that is to end.
const TO_END: &str = "TEPUI_TEST_OF_A_BROKEN_MACHINE";

#[test]
fn a_machine_that_panics_ends_the_process() {
    if std::env::var_os(TO_END).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (driver, mailbox) = Driver::new(Broken, Clock::default());
            let running = tokio::spawn(driver.run(Log::default()));
            mailbox.post(1);
            let _ = running.await;
        });
        return;
    }
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "tests::a_machine_that_panics_ends_the_process", "--nocapture"]).env(TO_END, "1");
    let ended = command.output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&ended.status), Some(6), "{said}");
    assert!(said.contains("an invariant does not hold") && said.contains("the process ends"), "{said}");
}
