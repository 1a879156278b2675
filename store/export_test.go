package store

// SetMaxSize sets the size that the file may grow to, in bytes; 0 for no limit.
func (s *Store) SetMaxSize(bytes int) { s.file.db.MaxSize = bytes }
