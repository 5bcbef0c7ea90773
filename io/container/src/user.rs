//! Users by name, and what a process must become to run as one.

use nix::unistd::{Gid, Uid, User, getgrouplist};
use std::ffi::CString;

/// A user as a process sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// User id.
    pub uid: Uid,
    /// Primary group id.
    pub gid: Gid,
    /// All groups of the user, the primary one included.
    pub groups: Vec<Gid>,
}

/// Why a name is no user.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The user database has no such name.
    #[error("Failed to get the uid of user '{0}': not found")]
    Unknown(String),
    /// The user database could not be read.
    #[error("Failed to get the uid of user '{0}': {1}")]
    Lookup(String, nix::Error),
}

/// Looks a user up by name.
pub fn find(name: &str) -> Result<Identity, Error> {
    let failed = |e| Error::Lookup(name.to_owned(), e);
    let user = User::from_name(name).map_err(failed)?.ok_or_else(|| Error::Unknown(name.to_owned()))?;
    let c_name = CString::new(name).map_err(|_| Error::Unknown(name.to_owned()))?;
    let groups = getgrouplist(&c_name, user.gid).map_err(failed)?;
    Ok(Identity { uid: user.uid, gid: user.gid, groups })
}

/// The identity a program must be switched to, if it is to run as `name` and this process is someone else.
pub fn to_switch_to(name: Option<&str>) -> Result<Option<Identity>, Error> {
    let Some(name) = name else { return Ok(None) };
    let identity = find(name)?;
    Ok((identity.uid != Uid::effective()).then_some(identity))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_has_uid_zero() {
        let root = find("root").unwrap();
        assert!(root.uid.is_root() && root.groups.contains(&root.gid));
    }

    #[test]
    fn an_unknown_user_is_named() {
        let text = find("no-such-user-here").unwrap_err().to_string();
        assert_eq!(text, "Failed to get the uid of user 'no-such-user-here': not found");
    }
}
