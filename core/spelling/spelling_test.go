package spelling_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/cprs-go/cprs/core/spelling"
)

func TestSlips(t *testing.T) {
	const contract = "The Counterparty may end this contract. Jonsson signs contracts; run kubectl, then xyzzyq."
	const known = "this agreement says when either party must give notice before leaving, what penalty follows, which court decides, where payments " +
		"come from, whose signature counts, under which name goods travel "
	for _, c := range []struct {
		name, question, text string
		want                 map[string]string
	}{
		{"none", "what does the contract say about termination?", contract, nil},
		{"of the text", "what may the cuonterparty do", contract, map[string]string{"cuonterparty": "counterparty"}},
		{"known, not in the text", "is there a refudn or a penlty?", contract, map[string]string{"refudn": "refund", "penlty": "penalty"}},
		{"missing, doubled, wrong, swapped", "paymnt, payyment, paymxnt (payemnt)! when will this payment come", "", map[string]string{
			"paymnt": "payment", "payyment": "payment", "paymxnt": "payment", "payemnt": "payment"}},
		{"at the end", "the contracte", contract, map[string]string{"contracte": "contract"}},
		{"not at the beginning", "the xontract", contract, nil},
		{"two slips in a word", "the cnotracct", contract, nil},
		{"the most frequent of the text", "the contrac", "contract contracts contracts", map[string]string{"contrac": "contract"}},
		{"word of the text", "why does kubectl print xyzzyq", contract, nil},
		{"capital letters", "what may the Cuonterparty do", contract, nil},
		{"quoted", `where does "contarct" stand`, contract, nil},
		{"code", "contarct_id contarct.go --contarct contarct/ contarct2", contract, nil},
		{"three letters", "the tge", contract, nil},
		{"no neighbour", "what is a zqxwvk", contract, nil},
		{"other letters", "was heißt kündigungg", contract, nil},
		{"another language", "welche kuendigungsfrist haben vertragspartei contarct", contract, nil},
		{"many words that nobody knows", known + unknown(16), contract, map[string]string{"contarct": "contract"}},
		{"too many", known + unknown(17), contract, nil},
		{"empty", "", "", nil},
		{"no UTF-8", "\xff contarct \xff", contract, map[string]string{"contarct": "contract"}},
		{"long word", strings.Repeat("a", 30), strings.Repeat("a", 31), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := spelling.Slips([]string{c.question}, []string{c.text}); !maps.Equal(got, c.want) {
				t.Errorf("%q: %v, want %v", c.question, got, c.want)
			}
		})
	}
}

// unknown is n words that nobody knows and one slip of the contract.
func unknown(n int) string {
	words := "contarct"
	for i := range n - 1 {
		words += " zqx" + strings.Repeat("w", i+1)
	}
	return words
}

func TestMend(t *testing.T) {
	slips := map[string]string{"contarct": "contract", "teh": "the", "paln": "plan"}
	for question, want := range map[string]string{
		"":                                    "",
		"  the contarct,\n(contarct)?\t":      "  the contract,\n(contract)?\t",
		"a contarct_id, contarctor, Contarct": "a contarct_id, contarctor, Contarct",
		"paln the paln's paln":                "plan the paln's plan",
		"\xffpaln \xff paln":                  "\xffpaln \xff plan",
		"contarct\u00a0paln":                  "contract\u00a0plan",
	} {
		if got := spelling.Mend(question, slips); got != want {
			t.Errorf("%q: %q, want %q", question, got, want)
		}
	}
}

// FuzzMend: what is mended has no slips left, and a question without slips stays as it is.
func FuzzMend(f *testing.F) {
	f.Add("what does the contarct say", "the contract says")
	f.Add("abcde abcdf", "abcdg")
	f.Fuzz(func(t *testing.T, question, text string) {
		slips := spelling.Slips([]string{question}, []string{text})
		mended := spelling.Mend(question, slips)
		if len(slips) == 0 && mended != question {
			t.Errorf("%q became %q without a slip", question, mended)
		}
		if len(slips) > 0 && mended == question {
			t.Errorf("%q stayed with the slips %v", question, slips)
		}
		again := spelling.Slips([]string{mended}, []string{text})
		for w := range slips {
			if _, left := again[w]; left {
				t.Errorf("%q still has the slip %q", mended, w)
			}
		}
	})
}

func BenchmarkSlips(b *testing.B) {
	text := strings.Repeat("The Counterparty may end this contract at any time, with a notice of thirty days. ", 1<<14)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		spelling.Slips([]string{"when may the cuonterparty end the contarct?"}, []string{text})
	}
}
