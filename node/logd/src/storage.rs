//! The thread that owns a store. Every write, sync and read of it happens there, in the order they were asked for.
//!
//! It serves the `World` of any machine that keeps a log inside: [`Storage::sync`] is what `World::sync` answers with, and
//! [`Storage::fetch`] brings what a fetch finds back as an input.

use bytes::Bytes;
use std::sync::mpsc;
use tepui_driver::{SyncFailed, Syncing};
use tepui_store::{Change, Durability, Error, Store};
use tokio::sync::{oneshot, watch};

/// Takes the keys and values that a fetch found.
type Then = Box<dyn FnOnce(Vec<(Vec<u8>, Bytes)>) + Send>;

enum Job {
    Sync(Vec<Change>, oneshot::Sender<Result<(), SyncFailed>>),
    Fetch(Vec<u8>, Vec<u8>, Then),
}

/// The way to the thread. Clones lead to the same one; it ends, and gives the directory back, once all are gone.
#[derive(Clone)]
pub struct Storage {
    jobs: mpsc::Sender<Job>,
    failure: Failure,
}

/// Why a store stopped; it must be opened anew.
#[derive(Clone)]
pub struct Failure(watch::Receiver<Option<Error>>);

impl Failure {
    /// Waits until the store has stopped by a failure.
    pub async fn happened(&mut self) -> Error {
        match self.0.wait_for(Option::is_some).await.ok().and_then(|failed| failed.clone()) {
            Some(error) => error,
            None => std::future::pending().await,
        }
    }

    /// Waits until the thread has ended and the directory is free.
    pub async fn ended(&mut self) {
        while self.0.changed().await.is_ok() {}
    }

    /// Why it stopped, if it did.
    pub fn why(&self) -> Option<Error> {
        self.0.borrow().clone()
    }
}

impl Storage {
    /// Gives a store its thread.
    pub fn start(store: Store) -> std::io::Result<Storage> {
        let (jobs, queue) = mpsc::channel();
        let (failed, failure) = watch::channel(None);
        std::thread::Builder::new().name("log-storage".to_owned()).spawn(move || serve(store, &queue, &failed))?;
        Ok(Storage { jobs, failure: Failure(failure) })
    }

    /// Performs all changes or none, durably, with one sync: what `World::sync` is to answer with.
    pub fn sync(&self, changes: Vec<Change>) -> Syncing {
        let (done, result) = oneshot::channel();
        let sent = self.jobs.send(Job::Sync(changes, done));
        Box::pin(async move {
            let gone = || SyncFailed("the thread of the store has ended".to_owned());
            sent.map_err(|_| gone())?;
            result.await.map_err(|_| gone())?
        })
    }

    /// Reads all keys from one to the other, both included, after the writes that were asked for before. If they cannot be
    /// read the store stops, and `then` is not called.
    pub fn fetch(&self, from: Vec<u8>, to: Vec<u8>, then: impl FnOnce(Vec<(Vec<u8>, Bytes)>) + Send + 'static) {
        // If the thread has ended its failure is known already.
        let _ = self.jobs.send(Job::Fetch(from, to, Box::new(then)));
    }

    /// How the store fails, if it does.
    pub fn failure(&self) -> Failure {
        self.failure.clone()
    }
}

/// Until nobody can ask any more, or a failure.
fn serve(mut store: Store, queue: &mpsc::Receiver<Job>, failed: &watch::Sender<Option<Error>>) {
    while let Ok(mut job) = queue.recv() {
        loop {
            if let Err(error) = perform(&mut store, job) {
                // The directory is free before anybody hears of the failure and opens it again.
                drop(store);
                failed.send_replace(Some(error));
                return;
            }
            match queue.try_recv() {
                Ok(next) => job = next,
                Err(_) => break,
            }
        }
        // Nobody waits: the time to make tables of a large log.
        if let Err(error) = store.maintain() {
            drop(store);
            failed.send_replace(Some(error));
            return;
        }
    }
}

fn perform(store: &mut Store, job: Job) -> Result<(), Error> {
    match job {
        Job::Sync(changes, done) => {
            let result = store.apply(&changes, Durability::Sync);
            // A driver that has stopped no longer waits for the answer.
            let _ = done.send(result.as_ref().map_err(|error| SyncFailed(error.to_string())).copied());
            result
        }
        Job::Fetch(from, to, then) => {
            then(store.range(&from, &to)?);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tepui_store::Options;

    fn put(key: &str, value: &str) -> Vec<Change> {
        vec![Change::Put(key.into(), Bytes::from(value.to_owned()))]
    }

    #[tokio::test]
    async fn reads_see_the_writes_before_them_and_the_directory_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::start(Store::open(dir.path(), Options::default()).unwrap()).unwrap();
        let (found, mut results) = tokio::sync::mpsc::unbounded_channel();
        let written = storage.sync(put("a", "1"));
        storage.fetch(b"a".to_vec(), b"b".to_vec(), move |pairs| found.send(pairs).unwrap());
        written.await.unwrap();
        assert_eq!(results.recv().await.unwrap(), [(b"a".to_vec(), Bytes::from_static(b"1"))]);
        let mut failure = storage.failure();
        drop(storage);
        failure.ended().await;
        assert_eq!(failure.why(), None);
        Store::open(dir.path(), Options::default()).unwrap();
    }

    #[tokio::test]
    async fn a_failure_is_told_and_ends_the_thread() {
        use std::sync::Arc;
        use tepui_store::disk::{Fault, Recorder};
        let disk = Recorder::default();
        let store = Store::open_on(Arc::new(disk.clone()), "/log", Options::default()).unwrap();
        let storage = Storage::start(store).unwrap();
        storage.sync(put("a", "1")).await.unwrap();
        disk.set_fault(Some(Fault::Sync));
        let failed = storage.sync(put("b", "2")).await.unwrap_err();
        assert!(failed.0.starts_with("cannot sync /log/"), "{failed}");
        assert_eq!(storage.failure().happened().await.to_string(), failed.0);
        storage.failure().ended().await;
        assert!(storage.sync(put("c", "3")).await.is_err());
        disk.set_fault(None);
        Store::open_on(Arc::new(disk), "/log", Options::default()).unwrap();
    }
}
