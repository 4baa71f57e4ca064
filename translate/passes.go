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
	{"facts", useFacts, 2, "decides comparisons, and leads paths past them"},
	{"reuse", reuse, 1, "wants all definitions in place that paths need; guards of an address reach no further up than to where it is computed"},
	{"guard", mergeGuards, 1, "wants what follows each guard settled; blocks that only end in 0 are gone behind it"},
	{"returns", shareReturns, 1, "brings the ends together; what leads to the same end is seen to"},
	{"straighten", straighten, 1, "joins what the passes above left in pieces"},
	{"tree", searchTrees, 2, "wants chains of blocks that do nothing but compare, and one end for each verdict"},
	{"dead", dropDead, 1, "last: drops what the others left unread"},
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
