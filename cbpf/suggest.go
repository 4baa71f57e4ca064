package cbpf

import "strings"

// suggest returns `; did you mean NAME?` for the name that is most like a word; "" where none is near. One difference is
// near, and two in words of five letters and more. Of equals the first wins that begins as the word does.
func suggest(word string, names []string) string {
	word = strings.ToLower(word)
	if len(word) < 2 || len(word) > 20 {
		return ""
	}
	near := 1
	if len(word) >= 5 {
		near = 2
	}
	best, least := "", 2*near+2
	for _, name := range names {
		if len(name) == 0 || len(name) > len(word)+near {
			continue
		}
		score := 2 * distance(word, strings.ToLower(name))
		if lower(name[0]) != word[0] {
			score++
		}
		if score < least {
			best, least = name, score
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}

// distance counts the letters to insert, to remove, to replace, or to swap with the next, that make a into b.
func distance(a, b string) int {
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		row, above, higher := rows[i%3], rows[(i+2)%3], rows[(i+1)%3]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replaced := above[j-1]
			if a[i-1] != b[j-1] {
				replaced++
			}
			row[j] = min(replaced, above[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], higher[j-2]+1)
			}
		}
	}
	return rows[len(a)%3][len(b)]
}
