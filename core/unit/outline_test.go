package unit

import (
	"strings"
	"testing"
)

func TestOutline(t *testing.T) {
	for _, c := range []struct{ name, text, at, heading, speaker string }{
		{"nothing before", "Text here.\n\n# Later\n", "Text", "", ""},
		{"nearest heading", "# One\nfirst\n## Two ##\nsecond\n\nthird\n", "third", "## Two ##", ""},
		{"in the heading itself", "# One\n\n# Two\ntext\n", "Two", "# Two", ""},
		{"byte order mark", "\ufeff# One\ntext", "text", "# One", ""},
		{"underlined", "One\n===\nfirst\n\nTwo\n---\nsecond", "second", "Two", ""},
		{"not in a fence", "# One\n```\n# comment\ncode\n```\ntext", "text", "# One", ""},
		{"comments in code", "#!/bin/sh\n\n# set x\nx=$(f 1);\n# set y\ny=$(g 2);\necho", "echo", "", ""},
		{"an indented comment", "class A:\n\n    # the rest\n\n    x = 1\n", "x = 1", "", ""},
		{"a block of comments", "# one\n# two\n\ntext", "text", "", ""},
		{"numbered", "1. TERM OF AGREEMENT\n\n1.1 The term shall start now.\n", "term", "1. TERM OF AGREEMENT", ""},
		{"numbered, with a stop", "4.2 Termination.\n\nEither party may end it.\n", "Either", "4.2 Termination.", ""},
		{"division", "Section 4 Fees\n\nThe fee is due.\n", "fee", "Section 4 Fees", ""},
		{"capitals", "CHAPTER ONE\n\nIt was dark.\n", "dark", "CHAPTER ONE", ""},
		{"a commit", "commit 3eaf047a1b\nAuthor: Ann\nDate: now\n\n    Mend it.\n\ncommit 0123456\n\n    Other.\n", "Mend", "commit 3eaf047a1b", ""},
		{"a change", "diff --git a/x.go b/x.go\n--- a/x.go\n+++ b/x.go\n@@ -1 +1 @@\n-a\n+b\n", "+b\n", "diff --git a/x.go b/x.go", ""},
		{"a heading of HTML", "<div>\n<h2 class=\"a\">Returns</h2>\n<p>Send them back.</p>\n</div>\n", "Send", "<h2 class=\"a\">Returns</h2>", ""},
		{"a page in one line", "<p>" + strings.Repeat("Word. ", 60) + "</p><h1>Goods</h1><p>Chairs</p><p>Lamps</p>", "Lamps", "<h1>Goods</h1>", ""},
		{"commit as a word", "commit changes\nText.\n", "Text", "", ""},
		{"a numbered sentence is no heading", "1. You shall pay all the fees of the agent within ten days of the end\n\nText.", "Text", "", ""},
		{"prose is no heading", "It was late\n\nText.\n", "Text", "", ""},
		{"speaker", "Ann: Hi. How are you?\nBob: Fine.\nAnn: Good. Bye now.\n", "Bye", "", "Ann:"},
		{"speaker of several lines", "User: Hi\nAssistant: One.\n\nTwo.\nUser: Bye\nAssistant: Bye", "Two", "", "Assistant:"},
		{"chat", "[12:01] <bob> hi\n[12:02] <ann> hi there\n[12:03] <bob> well. ok\n[12:04] <ann> bye\n", "ok", "", "[12:03] <bob>"},
		{"Chinese speaker", "张三：你好。\n李四：好。\n张三：吃了吗？走吧。\n李四：走。", "走吧", "", "张三："},
		{"a label that stands there once", "Note: this is it. And more.\nText", "more", "", ""},
		{"a label outside a conversation", strings.Repeat("Prose.\n\n", 9) + "Note: a. Bee\nMore text\nNote: c\nTip: d\nTip: e\n" + strings.Repeat("Prose.\n\n", 20), "More text", "", ""},
		{"keys below keys", "web:\n  image: a\n  port: 1\ndb:\n  image: b\n  port: 2\n  user: c\n", "user", "", ""},
		{"its own line", strings.Repeat("Prose.\n\n", 9) + "Note: a. Bee\nMore text\nNote: c\n", "Bee", "", "Note:"},
		{"a heading ends a turn", "Ann: Hi\nBob: Hi\nAnn: x\nBob: y\n\n# End\nText", "Text", "# End", ""},
		{"far from the label", "Ann: Hi\nBob: Hi\nAnn: x\nBob: " + strings.Repeat("long ", 5000) + "END", "END", "", ""},
	} {
		o := NewOutline(c.text)
		at := strings.Index(c.text, c.at)
		h, s := o.Heading(at), o.Speaker(at)
		if got := c.text[h.Start:h.End]; got != c.heading {
			t.Errorf("%s: heading %q, want %q", c.name, got, c.heading)
		}
		if got := c.text[s.Start:s.End]; got != c.speaker {
			t.Errorf("%s: speaker %q, want %q", c.name, got, c.speaker)
		}
	}
}

func TestRecord(t *testing.T) {
	packages := "Package: curl\nVersion: 7.88\nDescription: fetch\n of pages\n\nPackage: vim\nVersion: 9.0\n"
	rust := "error[E0308]: mismatched types\n  --> src/price.rs:12:5\n   |\n12 |     p * 100.0\n   |     ^^^ expected `i64`\nhelp: convert it\n\nerror: aborting\nDone\n"
	gcc := "main.c: In function 'main':\nmain.c:7:2: warning: unused variable 'x' [-Wunused]\n    7 |  int x;\n      |      ^\nmake: done\n"
	for _, c := range []struct{ name, text, at, want string }{
		{"a compiler's message", rust, "expected", "error[E0308]: mismatched types"},
		{"a compiler's help", rust, "convert", "error[E0308]: mismatched types"},
		{"the message itself", rust, "aborting", ""},
		{"below a message", rust, "Done", ""},
		{"a message with its place", gcc, "int x", "main.c:7:2: warning: unused variable 'x' [-Wunused]"},
		{"what comes after it", gcc, "make", ""},
		{"second line", packages, "9.0", "Package: vim"},
		{"continued", packages, "of pages", "Package: curl"},
		{"its own line", packages, "vim", ""},
		{"line ends of Windows", strings.ReplaceAll(packages, "\n", "\r\n"), "9.0", "Package: vim"},
		{"once", "Package: curl\nVersion: 7.88\n\nSource: vim\nVersion: 9.0\n", "9.0", ""},
		{"one line each", "Ann: Hi\n\nBob: Hello\n\nAnn: Bye\n\nBob: See you\n", "See", ""},
		{"a first line too long to be a name", strings.ReplaceAll(packages, "vim", strings.Repeat("long ", 40)), "9.0", ""},
		{"far below", packages + strings.Repeat("x: "+strings.Repeat("y", 1000)+"\n", 20) + "END", "END", ""},
	} {
		r := NewOutline(c.text).Record(strings.Index(c.text, c.at))
		if got := c.text[r.Start:r.End]; got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestOutlineOfNothing(t *testing.T) {
	for _, text := range []string{"", " ", "\n"} {
		if o := NewOutline(text); !o.Heading(0).Empty() || !o.Speaker(len(text)).Empty() || !o.Record(len(text)).Empty() || len(o.Headings()) != 0 {
			t.Errorf("outline of %q is not empty", text)
		}
	}
}
