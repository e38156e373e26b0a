package ui

// Taken is a port that the program cannot have when it starts.
type Taken struct {
	Text  string // why, and what one can do
	Label string // of the port
	Hint  string // what another port means for others
	Free  string // a port that could be had, or ""
	// Use keeps another port, or says why it cannot be had either.
	Use func(port string) error
}
