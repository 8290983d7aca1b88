package unit

import (
	"strings"
	"testing"
)

const pods = "NAME         READY   STATUS             RESTARTS   AGE\n" +
	"checkout-1   0/1     CrashLoopBackOff   17         2h\n" +
	"web-2        1/1     Running            0          21d"

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
		{"kubectl", "$ kubectl get pods\n" + pods + "\n", "web-2", "NAME         READY   STATUS             RESTARTS   AGE"},
		{"one row below capitals", "CONTAINER ID   IMAGE          STATUS          PORTS\n4c01db0b339c   ubuntu:22.04   Up 16 seconds   3300-3310/tcp\n", "4c01", "CONTAINER ID   IMAGE          STATUS          PORTS"},
		{"ps", "USER       PID %CPU    VSZ   RSS TTY      STAT COMMAND\nroot         1  0.2  37652  9388 ?        SLl  /sbin/init -v\nann      20815  0.0   2464    12 pts/0    S+   less a  b\n", "ann", "USER       PID %CPU    VSZ   RSS TTY      STAT COMMAND"},
		{"df", "Filesystem               Size  Used Avail Use% Mounted on\ntmpfs                     24G     0   24G   0% /dev/shm\n/dev/vda                 252G   25G   67G  28% /\n", "/dev/vda", "Filesystem               Size  Used Avail Use% Mounted on"},
		{"empty cells", "               total        used        free\nMem:            23Gi       7.4Gi        13Gi\nSwap:             0B          0B\n", "Mem", "total        used        free"},
		{"dashes", "Package    Version\n---------- -------\nabsl-py    2.1.0\n", "absl", "Package    Version"},
		{"years above blanks", "In millions          2019     2018\nRevenue            12,345   11,000\nCosts               8,100    7,900\n", "Costs", "In millions          2019     2018"},
		{"a grid ends with a line that is not flush", pods + "\nAll the pods of the shop are listed above, as they were.\n", "above", ""},
		{"a grid ends with a blank line", pods + "\n\nweb-9        1/1     Running            0          21d\n", "web-9", ""},
		{"rows without a head", "6m    Normal    Pulled     refunds-7512\n32m   Normal    Created    thumbs-1\n46m   Normal    Scaled     thumbs-2\n", "Scaled", ""},
		{"words alone under blanks", "Name     Type     Use\nStart    int      first byte\nEnd      int      last byte\n", "End", ""},
		{"justified", "The  warranty  is  void if you open  the box,\nand 12 more   conditions  apply to all  owners of\n2 or more   boxes  who  sell them.\n", "more   boxes", ""},
		{"justified capitals", "THE  PROJECT  IS PROVIDED  AS IS WITHOUT\nANY  WARRANTY IN KIND,  IMPLIED  OR NOT\n", "ANY", ""},
	} {
		o := NewOutline(c.text)
		r := o.Columns(strings.LastIndex(c.text, c.at))
		if got := c.text[r.Start:r.End]; got != c.columns {
			t.Errorf("%s: columns %q, want %q", c.name, got, c.columns)
		}
	}
}
