// Package prompt lays out what a critic reads: the instruction and query as header ids, once per request, and the
// ids that frame each window of text.
//
// Pair is the layout of the late-join critic, ChatML that of the hybrid critic; each window carries a pointer to its Header. The package
// stands between core/tokenizer and core/window.
package prompt

// Header is the instruction and the query as the critic reads them, the same for all windows of a request.
type Header struct {
	// IDs is the whole header row, special tokens included.
	IDs []int32
	// Pool marks the positions that stand for the question: the query's tokens, or the whole row without a query.
	Pool []bool
	// Dropped is the number of tokens of the instruction and query that did not fit.
	Dropped int
	// InRow says that IDs open the row of every window, and count towards its length. Pool is not used then.
	InRow bool
	// Categories are what a kept token can be, and Outside stands for what is none of them; empty where the critic tells none apart.
	Categories []Category
	Outside    int32
}

// Category is a kind of what is kept, by a word of the instruction and the first token of that word.
type Category struct {
	Name string
	ID   int32
}

// Layout builds the inputs of one kind of critic.
type Layout interface {
	// Header lays out instruction and query. Either may be empty, not both. It returns an error if the critic
	// cannot read them; ids that it leaves out are counted in Header.Dropped.
	Header(instruction, query string) (*Header, error)
	// Frame gives the ids that stand before and after the text of each window of a document with this title.
	Frame(title string) (before, after []int32)
	// WindowTokens is the most ids a window holds, frame included (and header, where critics read both in one row).
	WindowTokens() int
}
