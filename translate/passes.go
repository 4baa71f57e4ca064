package translate

// pass is one step of the optimiser. All have the same signature, a file and a listing of what they do.
type pass struct {
	name  string
	run   func(*graph)
	level int    // lowest optimisation level that has it
	why   string // what it relies on, what later passes gain
}

// passes is the optimiser, from top to bottom, once.
var passes = []pass{
	{"facts", useFacts, 2, "decides comparisons, leads paths past them"},
	{"straighten", straighten, 1, "joins what facts left in pieces; later passes see longer blocks"},
	{"guard", mergeGuards, 1, "wants blocks whose end is known; leaves one guard where there were several"},
	{"returns", shareReturns, 1, "leaves one block for each verdict, which conditions jump to"},
	{"straighten", straighten, 1, "blocks that only end in 0 are gone"},
	{"tree", searchTrees, 2, "wants chains of blocks that do nothing but compare"},
	{"reuse", reuse, 1, "wants all definitions in place that paths need"},
	{"straighten", straighten, 2, "leaves of trees that ask nothing are gone"},
	{"dead", dropDead, 1, "drops what the others left unread"},
	{"returns", shareReturns, 1, "last: brings the ends of the program to the end"},
}

// optimize runs the passes of the level.
func (g *graph) optimize(level int) {
	for _, p := range passes {
		if p.level <= level {
			p.run(g)
			g.number()
		}
	}
}
