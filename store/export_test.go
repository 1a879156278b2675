package store

// SetMaxSize sets the size that the file may grow to, in bytes; 0 for no limit.
func (s *Store) SetMaxSize(bytes int) { s.file.db.MaxSize = bytes }

// SetChunk sets how many packages one transaction writes at most, until the function
// that it returns is called.
func SetChunk(packages int) (restore func()) {
	before := syncChunk
	syncChunk = packages
	return func() { syncChunk = before }
}

// ForgetLists makes the next List read what it sorts by again.
func (s *Store) ForgetLists() { s.lists.forget() }
