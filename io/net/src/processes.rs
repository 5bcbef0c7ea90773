//! What lives on a node: processes by id, handlers by path.

use crate::answer::Answer;
use crate::mailbox::Mailbox;
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use tepui_wire::Request;
use tepui_wire::route::below;

/// Serves a path that belongs to no process.
pub(crate) type Handler = Arc<dyn Fn(Request) -> Pin<Box<dyn Future<Output = Answer> + Send>> + Send + Sync>;

struct Route {
    path: String,
    /// Whether paths below this one are meant, too.
    below: bool,
    handler: Handler,
}

/// Processes and handlers.
#[derive(Default)]
pub(crate) struct Processes {
    by_id: HashMap<Arc<str>, Arc<Mailbox>>,
    /// Ids that begin so belong to that process, too.
    families: Vec<(String, Arc<Mailbox>)>,
    /// Longest path first.
    routes: Vec<Route>,
    pub(crate) delegate: Option<String>,
}

impl Processes {
    /// The process with this id, or the one to whose family it belongs.
    pub(crate) fn get(&self, id: &str) -> Option<&Arc<Mailbox>> {
        self.by_id.get(id).or_else(|| {
            let mut families = self.families.iter();
            families.find(|(prefix, _)| id.starts_with(prefix.as_str())).map(|(_, mailbox)| mailbox)
        })
    }

    /// False if the id is taken.
    pub(crate) fn insert(&mut self, mailbox: &Arc<Mailbox>) -> bool {
        let free = !self.by_id.contains_key(&mailbox.id);
        if free {
            self.by_id.insert(mailbox.id.clone(), mailbox.clone());
        }
        free
    }

    pub(crate) fn insert_family(&mut self, prefix: &str, mailbox: &Arc<Mailbox>) {
        self.families.push((prefix.to_owned(), mailbox.clone()));
    }

    /// False if it was not (or no longer) registered.
    pub(crate) fn remove(&mut self, mailbox: &Arc<Mailbox>) -> bool {
        let before = self.by_id.len();
        self.by_id.retain(|_, other| !Arc::ptr_eq(other, mailbox));
        self.families.retain(|(_, other)| !Arc::ptr_eq(other, mailbox));
        self.by_id.len() < before
    }

    pub(crate) fn insert_route(&mut self, path: &str, below: bool, handler: Handler) {
        self.routes.retain(|route| (route.path.as_str(), route.below) != (path, below));
        self.routes.push(Route { path: path.to_owned(), below, handler });
        // Of two routes at one path the exact one comes first.
        self.routes.sort_by_key(|route| (std::cmp::Reverse(route.path.len()), route.below));
    }

    /// The handler with the longest path at or above `path`.
    pub(crate) fn handler(&self, path: &str) -> Option<Handler> {
        let fits = |route: &&Route| below(path, &route.path).is_some_and(|rest| route.below || rest.is_empty());
        self.routes.iter().find(fits).map(|route| route.handler.clone())
    }

    /// Whether the first token of a path stands for something here.
    pub(crate) fn is_known(&self, id: &str) -> bool {
        let is_first = |path: &str| path.trim_start_matches('/').split('/').next() == Some(id);
        self.get(id).is_some() || self.routes.iter().any(|route| is_first(&route.path))
    }
}
