//! Reads a directory and checks everything in it; changes nothing.

use super::memory::Memory;
use super::table::Table;
use super::{Repair, Report};
use crate::Error;
use crate::leveldb::edit::Manifest;
use crate::leveldb::key::{SEQUENCE_MAX, Sequence};
use crate::leveldb::names::{CURRENT, Name};
use crate::leveldb::{Damage, batch, frame};
use crate::place::Place;

/// What a MANIFEST of LevelDB's `NewDB` and `RepairDB` says instead of a log: there was none, or all of them are in tables.
const NO_WAL: u64 = 0;

/// A database as its files say it.
#[derive(Default)]
pub(super) struct Loaded {
    pub tables: Vec<Table>,
    pub memory: Memory,
    pub last_sequence: Sequence,
    /// No file has this number or a higher one.
    pub next_file: u64,
    pub report: Report,
}

/// `None` if there is no database yet.
pub(super) fn load(place: &Place) -> Result<Option<Loaded>, Error> {
    let names: Vec<Name> = place.list()?.iter().filter_map(|name| Name::parse(name)).collect();
    let Some(current) = place.read_if_there(CURRENT)? else {
        return nothing_written(place, &names).map(|()| None);
    };
    let mut loaded = Loaded::default();
    let manifest = manifest(place, &current, &mut loaded.report)?;
    loaded.last_sequence = manifest.last_sequence.unwrap_or(0);
    loaded.next_file = names.iter().map(|name| name.number() + 1).chain(manifest.next_file).max().unwrap_or(0);
    for meta in manifest.tables.values() {
        let table = Table::open(place, meta.clone())?;
        let entries = table.verify()?;
        loaded.report.tables.push((Name::Table(meta.number).text(), meta.level, entries, meta.size));
        loaded.tables.push(table);
    }
    for number in wals(place, &names, &manifest, &loaded.report.manifest)? {
        loaded.take_wal(place, Name::Wal(number))?;
    }
    Ok(Some(loaded))
}

/// The logs whose writes are in no table, in their order. The first of them was made before the MANIFEST named it, by LevelDB
/// too, so a directory without it has lost what was in it.
fn wals(place: &Place, names: &[Name], manifest: &Manifest, named_by: &str) -> Result<Vec<u64>, Error> {
    let first = manifest.wal.unwrap_or(NO_WAL);
    let numbers = names.iter().filter_map(|name| match *name {
        Name::Wal(number) if number >= first || number == manifest.previous_wal => Some(number),
        _ => None,
    });
    let mut wals: Vec<u64> = numbers.collect();
    wals.sort_unstable();
    if first != NO_WAL && !wals.contains(&first) {
        let path = place.path(&Name::Wal(first).text());
        return Err(Error::corrupt(&path, 0, format!("{named_by} names this log and it is not there")));
    }
    Ok(wals)
}

/// CURRENT is durable before a table is written, or anything into a log.
fn nothing_written(place: &Place, names: &[Name]) -> Result<(), Error> {
    for name in names {
        let holds = match name {
            Name::Table(_) => true,
            Name::Wal(_) => !place.read(&name.text())?.is_empty(),
            Name::Manifest(_) | Name::Temporary(_) => false,
        };
        if holds {
            return Err(Error::corrupt(
                &place.path(CURRENT),
                0,
                format!("it is missing, but {} is there", name.text()),
            ));
        }
    }
    Ok(())
}

fn manifest(place: &Place, current: &[u8], report: &mut Report) -> Result<Manifest, Error> {
    let wrong = |what: &str| Error::corrupt(&place.path(CURRENT), 0, what);
    let name = std::str::from_utf8(current).ok().and_then(|text| text.strip_suffix('\n'));
    let name = name.filter(|name| matches!(Name::parse(name), Some(Name::Manifest(_))));
    let name = name.ok_or_else(|| wrong("it does not name a MANIFEST"))?;
    let path = place.path(name);
    let file = place.read_if_there(name)?.ok_or_else(|| wrong(&format!("it names {name}, which is not there")))?;
    let at = |damage: Damage| Error::corrupt(&path, damage.offset, damage.what);
    let records = frame::read(&file).map_err(at)?;
    let mut manifest = Manifest::default();
    for (offset, record) in &records.records {
        manifest.take(record).map_err(|what| Error::corrupt(&path, *offset as u64, what))?;
    }
    if let (None, _, _) | (_, None, _) | (_, _, None) = (manifest.wal, manifest.next_file, manifest.last_sequence) {
        return Err(Error::corrupt(&path, file.len() as u64, "it ends before it says which files there are"));
    }
    report.manifest = name.to_owned();
    if let Some(torn) = records.torn {
        report.repairs.push(Repair { path, offset: torn.offset, what: torn.what });
    }
    Ok(manifest)
}

impl Loaded {
    fn take_wal(&mut self, place: &Place, name: Name) -> Result<(), Error> {
        let path = place.path(&name.text());
        let file = place.read(&name.text())?;
        let records = frame::read(&file).map_err(|damage| Error::corrupt(&path, damage.offset, damage.what))?;
        if !records.records.is_empty()
            && let Some(torn) = self.report.torn_wal()
        {
            // A log is synced to its end before the next one is begun; but for a last deletion that Mesos 1.11 did not sync.
            let dir = place.dir.display();
            let mend = format!("if Mesos 1.11 wrote it, its `mesos-log read --path={dir}`, once, mends that");
            let what = format!("{} (the log after it is not empty; {mend})", torn.what);
            return Err(Error::corrupt(&torn.path, torn.offset, what));
        }
        let (count, bytes) = (records.records.len() as u64, file.len() as u64);
        for (offset, record) in records.records {
            let wrong = |what: &str| Error::corrupt(&path, offset as u64, what);
            let (first, changes) = batch::decode(record).ok_or_else(|| wrong("a record that is no batch of writes"))?;
            if first + changes.len() as u64 > SEQUENCE_MAX {
                return Err(wrong("a batch numbered beyond the last number"));
            }
            for (sequence, change) in (first..).zip(&changes) {
                self.memory.put(sequence, change);
                self.last_sequence = self.last_sequence.max(sequence);
            }
        }
        self.report.wals.push((name.text(), count, bytes));
        if let Some(torn) = records.torn {
            self.report.repairs.push(Repair { path, offset: torn.offset, what: torn.what });
        }
        Ok(())
    }
}
