//! Makes a new set of tables the database, in an order that no crash can break.

use super::table::Table;
use super::{Store, Wal, take};
use crate::Error;
use crate::leveldb::edit::{Manifest, Meta};
use crate::leveldb::frame::Framer;
use crate::leveldb::names::{CURRENT, Name};

impl Store {
    /// The database is its tables without `removed`, with `added` (which are synced), and what is in its log: a new one,
    /// if everything in memory is in tables now.
    pub(super) fn install(&mut self, added: Vec<Meta>, removed: &[u64], new_log: bool) -> Result<(), Error> {
        let prepared = self.prepare(added, removed, new_log);
        let (manifest, temporary, added, wal) = self.or_remove(prepared)?;
        self.place.commit(CURRENT, &temporary)?;
        self.tables.retain(|table| !removed.contains(&table.meta.number));
        self.tables.extend(added);
        self.report.manifest = manifest;
        self.wal = wal.or(self.wal.take());
        self.found.clear();
        self.remove_unused();
        Ok(())
    }

    /// Everything up to the rename: the MANIFEST's name, that of what becomes `CURRENT`, the tables and the log.
    fn prepare(
        &mut self,
        added: Vec<Meta>,
        removed: &[u64],
        new_log: bool,
    ) -> Result<(String, String, Vec<Table>, Option<Wal>), Error> {
        // A table that cannot be read again must not replace anything.
        let opened = added.into_iter().map(|meta| Table::open(&self.place, meta)).collect::<Result<Vec<_>, _>>()?;
        let wal = if new_log { Some(Wal::create(&self.place, take(&mut self.next_file))?) } else { None };
        let number = take(&mut self.next_file);
        let kept = self.tables.iter().filter(|table| !removed.contains(&table.meta.number));
        let tables = kept.chain(&opened).map(|table| (table.meta.number, table.meta.clone())).collect();
        let manifest = Manifest {
            wal: wal.as_ref().or(self.wal.as_ref()).map(|wal| wal.number),
            previous_wal: 0,
            next_file: Some(self.next_file),
            last_sequence: Some(self.last_sequence),
            tables,
        };
        let mut framed = Vec::new();
        Framer::default().frame(&manifest.encode(), &mut framed);
        let name = Name::Manifest(number).text();
        let mut file = self.place.create(&name)?;
        file.append(&framed)?;
        file.sync()?;
        let temporary = Name::Temporary(number).text();
        self.place.prepare(&temporary, format!("{name}\n").as_bytes())?;
        Ok((name, temporary, opened, wal))
    }

    /// After a failure that left the database as it was, removes what is half made: it only takes room.
    pub(super) fn or_remove<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        result.inspect_err(|_| self.remove_unused())
    }

    /// Removes the files that the database does not name. One that cannot be removed is tried again next time.
    fn remove_unused(&self) {
        let names = self.place.list().unwrap_or_default();
        let unused = names.iter().filter(|text| Name::parse(text).is_some_and(|name| !self.uses(name)));
        for text in unused {
            if let Err(error) = self.place.remove(text) {
                tracing::warn!(%error, "an old file stays");
            }
        }
    }

    fn uses(&self, name: Name) -> bool {
        let used = match name {
            Name::Table(number) => self.tables.iter().any(|table| table.meta.number == number),
            Name::Wal(number) => self.wal.as_ref().is_some_and(|wal| wal.number == number),
            Name::Manifest(_) => name.text() == self.report.manifest,
            Name::Temporary(_) => false,
        };
        used || self.found.contains(&name)
    }
}
