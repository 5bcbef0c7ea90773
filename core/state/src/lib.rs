//! State: versioned variables over a storage.
