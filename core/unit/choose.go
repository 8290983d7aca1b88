package unit

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// grains are the words that name a unit in an instruction. Words with another common meaning stand in a phrase only: "in turn", "en ligne".
var grains = []struct {
	unit  Unit
	words string // parted by commas
}{
	{Phrase, `exact value, exact values, exact answer, exact answers, exact name, exact names, exact number, exact numbers, exact date, exact dates,
		exact words, exact phrase, exact phrases, exact amount, short answer, short answers, answer span, just the value, just the name, only the value,
		only the name, phrase, phrases, keyword, keywords, key word, key words, named entity, named entities, entities, every mention of, all mentions of,
		精确值, 准确值, 具体数值, 确切的值, 关键词, 關鍵詞, 短语, 短語, 实体, 實體, 正確な値, 数値を, キーワード, 語句, フレーズ,
		genauer Wert, genauen Wert, genaue Wert, exakten Wert, Stichwort, Stichwörter, Schlüsselwörter, valeur exacte, valeurs exactes, réponse exacte,
		mots-clés, mot-clé, valor exacto, valores exactos, respuesta exacta, palabras clave, valor exato, valores exatos, resposta exata, palavras-chave`},
	{Sentence, `sentence, sentences, statement, statements, 句子, 语句, 語句を含む文, 哪句, 文を, 文章を, センテンス, Satz, Sätze, Sätzen,
		la phrase, les phrases, des phrases, une phrase, phrases qui, phrases où, frase, frases, oración, oraciones, sentença, sentenças`},
	{Line, `lines, the line, which line, each line, log line, log entry, log entries, log messages, table row, table rows, which row, rows, speaker turns,
		the turns, which turns, chat messages, utterances, stack trace, 哪一行, 哪些行, 行号, 逐行, 每行, 几行, 日志行, 行を, 各行, 何行,
		Zeile, Zeilen, la ligne, lignes, quelle ligne, chaque ligne, la línea, líneas, cada línea, filas, a linha, linhas, cada linha`},
	{Paragraph, `paragraph, paragraphs, passage, passages, section, sections, clause, clauses, provision, provisions, 段落, 哪段, 哪一段, 每段,
		条款, 條款, 章节, 章節, 条項, Absatz, Absätze, Absätzen, Abschnitt, Abschnitte, Klausel, Klauseln, paragraphe, paragraphes,
		párrafo, párrafos, cláusula, cláusulas, apartado, apartados, parágrafo, parágrafos, trecho, trechos`},
}

// grainWords are all words of grains in small letters.
var grainWords = func() map[string]Unit {
	m := map[string]Unit{}
	for _, g := range grains {
		for w := range strings.SplitSeq(g.words, ",") {
			if w = strings.ToLower(strings.TrimSpace(w)); m[w] == Auto {
				m[w] = g.unit
			}
		}
	}
	return m
}()

// Choose resolves Auto for a text. The first grain that the instruction names decides ("the exact value", "which lines", "paragraphs about", also in
// Chinese, Japanese, German, French, Spanish and Portuguese), the query's if there is no instruction. Else the text decides: logs,
// tables, settings, output of programs, code, chats and lists are kept by lines, all else by sentences. It reads the start of the text only.
func Choose(instruction, query, text string) Unit {
	if strings.TrimSpace(instruction) == "" {
		instruction = query
	}
	if u := named(instruction); u != Auto {
		return u
	}
	if isLineOriented(text) {
		return Line
	}
	return Sentence
}

// named is the unit whose name stands first in s, the longest name of those that start there; Auto without any.
func named(s string) Unit {
	s = strings.ToLower(s)
	for i, r := range s {
		before, _ := utf8.DecodeLastRuneInString(s[:i])
		if !unicode.IsLetter(r) || unicode.IsLetter(before) && !isSpaceless(r) {
			continue
		}
		longest := 0
		for w := range grainWords {
			if len(w) > longest && strings.HasPrefix(s[i:], w) && endsThere(s, i+len(w)) {
				longest = len(w)
			}
		}
		if longest > 0 {
			return grainWords[s[i:i+longest]]
		}
	}
	return Auto
}

// endsThere reports whether a word of s ends at i.
func endsThere(s string, i int) bool {
	last, _ := utf8.DecodeLastRuneInString(s[:i])
	next, _ := utf8.DecodeRuneInString(s[i:])
	return isSpaceless(last) || !unicode.IsLetter(next) && !unicode.IsDigit(next)
}

// isLineOriented reports whether the start of text is written in lines: at least half of them say something by themselves and hold half of the
// text, and at most one in ten is a sentence or a part of one. Headings and a few words go with either. Where prose and lines are mixed, sentences
// serve better: Split ends them at the lines of tables, logs and code.
func isLineOriented(text string) bool {
	const sample = 64 << 10
	text = text[:min(len(text), sample)]
	lines, items, sentences := 0, 0, 0
	bytes, itemBytes := 0, 0
	r := newLineReader(text)
	for l, ok := r.next(); ok; l, ok = r.next() {
		if l.empty() || l.kind == heading || l.kind == rule {
			continue
		}
		lines++
		bytes += l.body - l.first
		switch {
		case isItem(text, l):
			items++
			itemBytes += l.body - l.first
		case isSentence(text, l):
			sentences++
		}
	}
	return lines >= 3 && items*2 >= lines && itemBytes*2 >= bytes && sentences*10 <= lines
}
