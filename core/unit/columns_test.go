package unit

import (
	"strings"
	"testing"
)

func TestColumns(t *testing.T) {
	for _, c := range []struct{ name, text, at, columns string }{
		{"Markdown", "Text.\n\n| name | age |\n|---|---|\n| Ann | old |\n| Bob | young |\n\nMore", "Bob", "| name | age |"},
		{"first row", "| name | age |\n|---|---|\n| Ann | old |\n", "Ann", "| name | age |"},
		{"the head has none", "| name | age |\n|---|---|\n| Ann | old |\n", "age", ""},
		{"years", " | 2019 | 2018\nRevenue | 12,345 | $11,000\nCosts | (20) | 31.5\n", "Costs", "| 2019 | 2018"},
		{"two rows", " | Years ended March 31, | \n | 2019 | 2018\nRevenue | 12,345 | 11,000\n", "Revenue", "| Years ended March 31, | \n | 2019 | 2018"},
		{"a group is no head", "Item | 2019 | 2018\nAssets: |  | \nCash | 12 | 13\n", "Cash", ""},
		{"a group below the first figures", "Item | 2019\nCash | 12\nDebts: | \nBonds | 3\n", "Bonds", "Item | 2019"},
		{"CSV", "id,name,amount,day,state\n1,Ann,12.50,2024-01-02,paid\n2,Bob,3.00,2024-01-03,open\n", "Bob", "id,name,amount,day,state"},
		{"tabs", "name\tsize\na.txt\t120\nb.txt\t3\n", "b.txt", "name\tsize"},
		{"psql", " id | name \n----+------\n  1 | Ann\n  2 | Bob\n(2 rows)\n", "Bob", "id | name"},
		{"figures from the start", "1 | 2 | 3\n4 | 5 | 6\n7 | 8 | 9\n", "7", ""},
		{"words alone", "a | b\nc | d\ne | f\n", "e", ""},
		{"below the table", "name\tsize\na.txt\t120\n\nText.", "Text", ""},
		{"the second of two", "a\tb\nc\t1\n\nd\te\nf\t2\n", "f", "d\te"},
		{"rows after a blank line are another table", "a\tb\nc\t1\n\nf\t2\n", "f", ""},
		{"in a fence", "```\na | b\nc | 1\n```\n", "c", ""},
		{"a long head", "a | " + strings.Repeat("word ", 100) + "\nc | 1\n", "c", ""},
		{"four rows of words", "a | b\nc | d\ne | f\ng | h\ni | 1\n", "i", ""},
	} {
		o := NewOutline(c.text)
		r := o.Columns(strings.LastIndex(c.text, c.at))
		if got := c.text[r.Start:r.End]; got != c.columns {
			t.Errorf("%s: columns %q, want %q", c.name, got, c.columns)
		}
	}
}
