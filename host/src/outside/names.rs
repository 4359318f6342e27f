//! Who says which addresses a name has.
//!
//! Owns: asking the system's resolver, and how many threads do so.
//! Never: judges what comes back.

use std::net::{IpAddr, ToSocketAddrs};

use tokio::sync::Semaphore;

use super::error::HttpError;

/// Threads that may wait for the system's resolver; further look-ups wait for one, as long as whoever asks waits.
pub(super) const RESOLVERS_MAX: usize = 16;
/// One for each of these threads, in the whole process.
static RESOLVERS: Semaphore = Semaphore::const_new(RESOLVERS_MAX);

/// Where names are looked up.
#[derive(Debug, Default)]
pub(crate) enum Names {
    /// As the operating system does it.
    #[default]
    System,
    /// As a test says: each look-up of a name takes its next answer, and the last one stays.
    #[cfg(any(test, feature = "scripted"))]
    Told(std::sync::Mutex<std::collections::BTreeMap<String, Vec<IpAddr>>>),
}

impl Names {
    /// All addresses of a name, in the order of the resolver.
    pub(super) async fn look_up(&self, name: &str) -> Result<Vec<IpAddr>, HttpError> {
        match self {
            Self::System => {
                let name = name.to_owned();
                on_a_thread(&RESOLVERS, move || {
                    let found = (name.as_str(), 0).to_socket_addrs();
                    let found = found.map_err(|_| HttpError::Name)?;
                    Ok(found.map(|address| address.ip()).collect())
                })
                .await
            }
            #[cfg(any(test, feature = "scripted"))]
            Self::Told(names) => {
                let mut names = names.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                let answers = names.get_mut(name).ok_or(HttpError::Name)?;
                match answers.len() {
                    0 => Err(HttpError::Name),
                    1 => Ok(answers.clone()),
                    _ => Ok(vec![answers.remove(0)]),
                }
            }
        }
    }
}

/// Does what cannot be stopped. Its permit comes back when it ends, not when whoever asked gives up: then no look-up stands in
/// the queue of the threads, where nobody could take it back.
async fn on_a_thread<T: Send + 'static>(
    threads: &'static Semaphore,
    work: impl FnOnce() -> Result<T, HttpError> + Send + 'static,
) -> Result<T, HttpError> {
    let permit = threads.acquire().await.map_err(|_| HttpError::Cancelled)?;
    let working = tokio::task::spawn_blocking(move || {
        let done = work();
        drop(permit);
        done
    });
    working.await.map_err(|_| HttpError::Cancelled)?
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;

    static THREADS: Semaphore = Semaphore::const_new(1);
    static BEGUN: AtomicUsize = AtomicUsize::new(0);

    #[tokio::test]
    async fn a_look_up_that_hangs_lets_others_wait_and_give_up_but_never_queues_them() {
        let (release, held) = channel::<()>();
        let soon = Duration::from_millis(50);
        let hanging = on_a_thread(&THREADS, move || {
            BEGUN.fetch_add(1, Ordering::SeqCst);
            held.recv().map_err(|_| HttpError::Name)
        });
        tokio::time::timeout(soon, hanging).await.unwrap_err();
        for _ in 0..10 {
            let other = on_a_thread(&THREADS, || Ok(BEGUN.fetch_add(1, Ordering::SeqCst)));
            tokio::time::timeout(soon, other).await.unwrap_err();
        }
        release.send(()).unwrap();
        let last = on_a_thread(&THREADS, || Ok(BEGUN.fetch_add(1, Ordering::SeqCst)));
        assert_eq!(last.await, Ok(1), "those who gave up never began");
    }
}
