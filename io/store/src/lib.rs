//! LevelDB directories whose acknowledged writes are on the disk.
