//! Every disk a crash may leave behind, from a recording of what was done to it.
//!
//! What was synced is there. Of what was not, any part may be: of the names changed in directories any subset, of the
//! bytes appended to a file any prefix of whole appends, and of the next append a part: its first half, all but its last
//! byte, or all its bytes while some of its sectors read zero: the first, the first half, one in the middle, or the end from
//! a sector on, as where the length grew and the data did not follow. Several files may be torn at once. Which combinations
//! are tried is bounded by [`Bounds`].
//!
//! A crash is tried just before each sync and at the end: whatever a crash between two syncs can leave, one just before
//! the second can leave too, because it may lose everything done in between.

use super::{Image, Node, Op, Recorder};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::{ControlFlow, Range};
use std::path::PathBuf;

/// How much is tried.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Up to so many un-synced changes of names, every subset of them; beyond, every prefix and all but one.
    pub names: usize,
    /// Bytes that a disk writes at once: of a torn append, whole ones of these may be lost.
    pub sector: usize,
    /// Up to so many combinations of what torn files hold, every one of them; beyond, one file is torn while the others have
    /// all or nothing of what was not synced.
    pub torn: usize,
}

impl Default for Bounds {
    /// 64 subsets at most; sectors of 512 bytes, the least a disk writes at once; two files torn at once, but not three.
    fn default() -> Self {
        Bounds { names: 6, sector: 512, torn: 400 }
    }
}

/// A disk after a crash.
#[derive(Clone, Debug)]
pub struct Crash {
    /// How many operations were done before it.
    pub after: usize,
    /// What is left.
    pub image: Image,
}

/// A change of names: what each of them stands for now.
type Change = Vec<(PathBuf, Option<Target>)>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Dir,
    File(usize),
}

#[derive(Clone, Debug, Default)]
struct Durable {
    names: BTreeMap<PathBuf, Target>,
    changes: Vec<Change>,
    files: BTreeMap<usize, (Vec<u8>, Vec<Vec<u8>>)>,
}

/// Calls `visit` for each disk that a crash during the recording may leave, once for each moment and content, until it
/// breaks.
pub fn crashes<B>(
    recorder: &Recorder,
    bounds: Bounds,
    mut visit: impl FnMut(Crash) -> ControlFlow<B>,
) -> ControlFlow<B> {
    let (ops, mut disk) = (recorder.ops(), Durable::of(recorder.initial()));
    for (after, op) in ops.iter().enumerate() {
        if matches!(op, Op::Sync(_) | Op::SyncDir(_)) {
            disk.visit(bounds, |image| visit(Crash { after, image }))?;
        }
        disk.take(op);
    }
    disk.visit(bounds, |image| visit(Crash { after: ops.len(), image }))
}

impl Durable {
    fn of(image: &Image) -> Durable {
        let mut disk = Durable::default();
        for (path, node) in image {
            let target = match node {
                Node::Dir => Target::Dir,
                Node::File(data) => {
                    let number = disk.files.len();
                    disk.files.insert(number, (data.clone(), Vec::new()));
                    Target::File(number)
                }
            };
            disk.names.insert(path.clone(), target);
        }
        disk
    }

    fn take(&mut self, op: &Op) {
        match op {
            Op::Create(path, number) => {
                self.files.insert(*number, Default::default());
                self.changes.push(vec![(path.clone(), Some(Target::File(*number)))]);
            }
            Op::CreateDir(path) => self.changes.push(vec![(path.clone(), Some(Target::Dir))]),
            Op::Append(number, data) => self.files.entry(*number).or_default().1.push(data.clone()),
            Op::Sync(number) => {
                let (synced, pending) = self.files.entry(*number).or_default();
                synced.extend(pending.drain(..).flatten());
            }
            Op::Rename(from, to) => {
                let target = self.current(from);
                self.changes.push(vec![(from.clone(), None), (to.clone(), target)]);
            }
            Op::Remove(path) => self.changes.push(vec![(path.clone(), None)]),
            Op::SyncDir(dir) => {
                let (now, later) = std::mem::take(&mut self.changes)
                    .into_iter()
                    .partition(|change| change.iter().all(|(path, _)| path.parent() == Some(dir)));
                self.changes = later;
                apply(&mut self.names, &now);
            }
        }
    }

    /// What a name stands for as long as nothing crashes.
    fn current(&self, path: &PathBuf) -> Option<Target> {
        let changed = self.changes.iter().rev().flatten().find(|(name, _)| name == path);
        changed.map_or_else(|| self.names.get(path).copied(), |(_, target)| *target)
    }

    fn visit<B>(&self, bounds: Bounds, mut visit: impl FnMut(Image) -> ControlFlow<B>) -> ControlFlow<B> {
        let contents = self.contents(bounds);
        let mut seen = BTreeSet::new();
        for chosen in subsets(&self.changes, bounds.names) {
            let mut names = self.names.clone();
            apply(&mut names, &chosen);
            for content in &contents {
                let image = image(&names, content);
                let mut hasher = DefaultHasher::new();
                image.hash(&mut hasher);
                if seen.insert(hasher.finish()) {
                    visit(image)?;
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// What the files may hold: every combination of their forms, if there are not too many. Otherwise each file with
    /// un-synced bytes is tried in all its forms, while the others have all or nothing of theirs.
    fn contents(&self, bounds: Bounds) -> Vec<BTreeMap<usize, Vec<u8>>> {
        let part = |all: bool| -> BTreeMap<usize, Vec<u8>> {
            let held = |(synced, pending): &(Vec<u8>, Vec<Vec<u8>>)| {
                let pending = pending.iter().flatten().filter(|_| all);
                synced.iter().chain(pending).copied().collect()
            };
            self.files.iter().map(|(number, file)| (*number, held(file))).collect()
        };
        let torn: Vec<_> = self.files.iter().filter(|(_, (_, pending))| !pending.is_empty()).collect();
        let torn: Vec<(usize, Vec<Vec<u8>>)> = torn
            .into_iter()
            .map(|(number, (synced, pending))| (*number, forms(synced, pending, bounds.sector)))
            .collect();
        let together = torn.iter().map(|(_, forms)| forms.len()).product::<usize>() <= bounds.torn;
        let bases = if together { vec![part(false)] } else { vec![part(false), part(true)] };
        let mut contents = bases.clone();
        for (number, forms) in torn {
            let others = if together { contents.clone() } else { bases.clone() };
            let with = |form: &Vec<u8>, other: &BTreeMap<_, _>| {
                let mut content = other.clone();
                content.insert(number, form.clone());
                content
            };
            let more = forms.iter().flat_map(|form| others.iter().map(move |other| with(form, other)));
            contents.extend(more);
        }
        contents
    }
}

/// What a file may hold whose last appends are not synced.
fn forms(synced: &[u8], pending: &[Vec<u8>], sector: usize) -> Vec<Vec<u8>> {
    let (mut forms, mut whole) = (Vec::new(), synced.to_vec());
    for append in pending {
        forms.push(whole.clone());
        for kept in [append.len() / 2, append.len().saturating_sub(1)] {
            forms.push([&whole, &append[..kept]].concat());
        }
        for lost in lost(whole.len(), append.len(), sector) {
            let mut form = [&whole[..], append].concat();
            form[whole.len()..][lost].fill(0);
            forms.push(form);
        }
        whole.extend_from_slice(append);
    }
    forms.push(whole);
    forms
}

/// Which bytes of an append behind so many bytes may read zero. Sectors are those of the file: the first one ends where the
/// file's next sector begins.
fn lost(begin: usize, length: usize, sector: usize) -> Vec<Range<usize>> {
    let bound = |near: usize| (near.div_ceil(sector) * sector).saturating_sub(begin % sector).min(length);
    let (first, half) = (bound(1), bound(length / 2));
    let all = [0..first, 0..half, 0..length, first..length, half..length, half..(half + sector).min(length)];
    all.into_iter().filter(|lost| !lost.is_empty()).collect()
}

fn subsets(changes: &[Change], limit: usize) -> Vec<Vec<Change>> {
    let pick = |keep: &dyn Fn(usize) -> bool| -> Vec<Change> {
        changes.iter().enumerate().filter(|(at, _)| keep(*at)).map(|(_, change)| change.clone()).collect()
    };
    if changes.len() <= limit {
        return (0..1usize << changes.len()).map(|bits| pick(&|at| bits >> at & 1 == 1)).collect();
    }
    let prefixes = (0..=changes.len()).map(|length| pick(&|at| at < length));
    let gaps = (0..changes.len()).map(|gap| pick(&|at| at != gap));
    prefixes.chain(gaps).collect()
}

fn apply(names: &mut BTreeMap<PathBuf, Target>, changes: &[Change]) {
    for (path, target) in changes.iter().flatten() {
        match target {
            Some(target) => names.insert(path.clone(), *target),
            None => names.remove(path),
        };
    }
}

/// The files that can be reached: those whose directories are there.
fn image(names: &BTreeMap<PathBuf, Target>, contents: &BTreeMap<usize, Vec<u8>>) -> Image {
    let mut image = Image::new();
    // A directory stands before what is in it.
    for (path, target) in names {
        let parent = path.parent().filter(|parent| parent.parent().is_some());
        if parent.is_some_and(|parent| image.get(parent) != Some(&Node::Dir)) {
            continue;
        }
        let node = match target {
            Target::Dir => Node::Dir,
            Target::File(number) => Node::File(contents.get(number).cloned().unwrap_or_default()),
        };
        image.insert(path.clone(), node);
    }
    image
}

#[cfg(test)]
mod tests {
    use super::super::{Disk, Output};
    use super::*;
    use std::path::Path;

    fn held(recorder: &Recorder) -> BTreeSet<String> {
        let mut held = BTreeSet::new();
        let _ = crashes(recorder, Bounds::default(), |crash| {
            let files = crash.image.iter().filter_map(|(path, node)| match node {
                Node::File(data) => Some(format!("{}={}", path.display(), String::from_utf8_lossy(data))),
                Node::Dir => None,
            });
            if crash.after == recorder.len() {
                held.insert(files.collect::<Vec<_>>().join(" "));
            }
            ControlFlow::<()>::Continue(())
        });
        held
    }

    fn write(disk: &Recorder, path: &str, text: &str) -> Box<dyn Output> {
        let mut file = disk.create(Path::new(path)).unwrap();
        file.append(text.as_bytes()).unwrap();
        file
    }

    fn texts<const N: usize>(texts: [&str; N]) -> BTreeSet<String> {
        texts.map(str::to_owned).into()
    }

    #[test]
    fn what_is_not_synced_may_be_lost_in_any_part() {
        let disk = Recorder::default();
        let mut file = write(&disk, "/a", "1234");
        assert_eq!(held(&disk), texts(["", "/a=", "/a=12", "/a=123", "/a=1234", "/a=\0\0\0\0"]));
        file.sync().unwrap();
        assert_eq!(held(&disk), texts(["", "/a=1234"]), "the name is not durable yet");
        disk.sync_dir(Path::new("/")).unwrap();
        assert_eq!(held(&disk), texts(["/a=1234"]));
    }

    #[test]
    fn a_rename_is_there_or_not_and_never_half() {
        let disk = Recorder::default();
        for (path, text) in [("/a", "old"), ("/b", "new")] {
            write(&disk, path, text).sync().unwrap();
        }
        disk.sync_dir(Path::new("/")).unwrap();
        disk.rename(Path::new("/b"), Path::new("/a")).unwrap();
        assert_eq!(held(&disk), texts(["/a=new", "/a=old /b=new"]));
    }

    #[test]
    fn what_lies_in_a_lost_directory_is_lost() {
        let disk = Recorder::default();
        disk.create_dir(Path::new("/d")).unwrap();
        write(&disk, "/d/a", "x").sync().unwrap();
        disk.sync_dir(Path::new("/d")).unwrap();
        assert_eq!(held(&disk), texts(["", "/d/a=x"]));
    }

    #[test]
    fn two_files_may_be_torn_at_once() {
        let disk = Recorder::default();
        let files = [write(&disk, "/a", "12"), write(&disk, "/b", "34")];
        assert!(held(&disk).contains("/a=1 /b=3"));
        drop(files);
    }

    #[test]
    fn a_torn_append_may_miss_sectors_anywhere_and_have_its_length() {
        let forms = forms(&[1; 500], &[vec![2; 2000]], 512);
        for lost in [500..512, 500..1024, 500..2500, 512..2500, 1024..1536, 1024..2500] {
            let mut want = [vec![1; 500], vec![2; 2000]].concat();
            want[lost.clone()].fill(0);
            assert!(forms.contains(&want), "{lost:?}");
        }
    }

    #[test]
    fn a_torn_append_may_miss_its_first_sector() {
        let forms = forms(&[1; 500], &[vec![2; 600]], 512);
        assert!(forms.iter().any(|form| form.len() == 1100 && form[500..512] == [0; 12] && form[512] == 2));
    }
}
