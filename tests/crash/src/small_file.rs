//! A small file that is replaced as a whole.

use crate::judge::{Diary, Subject};
use crate::skip::Skip;
use std::path::Path;
use std::sync::Arc;
use tepui_store::disk::Disk;
use tepui_store::small_file;

const FILE: &str = "/data/dir/file";

/// See the module's text.
pub struct SmallFile;

impl Subject for SmallFile {
    type Content = Option<Vec<u8>>;
    type Running = ();

    // The names in the file's own directory are synced after the rename.
    const SYNCS: &'static [Skip] =
        &[Skip::File("file"), Skip::DirAfterRename("/data/dir"), Skip::DirOtherwise("/data"), Skip::DirOtherwise("/")];

    fn work(disk: Arc<dyn Disk>, diary: &mut Diary<Self::Content>) {
        for content in ["one", "two, which is longer", "3"] {
            let begun = diary.now();
            small_file::write(&disk, Path::new(FILE), content.as_bytes()).unwrap();
            diary.acknowledged(begun, &Some(content.as_bytes().to_vec()));
        }
    }

    fn recover(disk: Arc<dyn Disk>) -> Result<(Self::Content, ()), String> {
        let found = small_file::read(&disk, Path::new(FILE)).map_err(|error| error.to_string())?;
        Ok((found, ()))
    }
}
