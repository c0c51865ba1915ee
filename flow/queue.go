package flow

// queue is a list of small numbers in which each stands at most once. Adding,
// removing and looking at the first take constant time. It holds no pointers:
// the garbage collector does not look into it.
type queue struct {
	links       []queueLink // by number; 0 is the list's head and no member
	n           int
	first, last int32
}

type queueLink struct {
	prev, next int32
	in         bool
}

func (q *queue) has(id int32) bool { return int(id) < len(q.links) && q.links[id].in }

// push puts id at the end.
func (q *queue) push(id int32) {
	for int(id) >= len(q.links) {
		q.links = append(q.links, queueLink{})
	}
	q.links[id] = queueLink{prev: q.last, in: true}
	if q.last != 0 {
		q.links[q.last].next = id
	} else {
		q.first = id
	}
	q.last = id
	q.n++
}

// remove takes id out, if it is in.
func (q *queue) remove(id int32) {
	if !q.has(id) {
		return
	}
	l := q.links[id]
	if l.prev != 0 {
		q.links[l.prev].next = l.next
	} else {
		q.first = l.next
	}
	if l.next != 0 {
		q.links[l.next].prev = l.prev
	} else {
		q.last = l.prev
	}
	q.links[id] = queueLink{}
	q.n--
}
