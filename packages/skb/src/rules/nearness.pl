/*  How near cores are to one another, for placement: topology first, then what was measured.

    The shortest of a few measured round trips is the link's time and, on a host that is busy, a rest of the host's. Two
    pairs that the machine holds for alike then differ by chance, and a search for the least sum finds that chance: four
    programs "near one another" once went to two packages, because a few microseconds spoke for it. So pairs of one
    relation (same package, one hop, …) count as equally far, as far as the median of them; a farther relation never
    counts as nearer than a nearer one, and between equals the topology decides. A pair is taken by its own measurement
    only when that stands out of its relation beyond the noise: a link that somebody slowed down is avoided.
*/

%!  nearness(-Table) is det.
%
%   typical(Relation, Ns, Noise) for every relation of the machine, nearest first; one way, whole nanoseconds.
nearness(Table) :-
    measured_pairs(Measured),
    findall(key(Described, Rank)-Relation,
        ( message_cost(Relation, Send, Latency, Receive),
          rank(Relation, Rank),
          Described is Send + Latency + Receive ),
        Keyed),
    keysort(Keyed, Sorted),
    typical_all(Sorted, Measured, 0, Table).

%!  near_ns(+Table, +From, +To, -Ns) is semidet.
near_ns(Table, From, To, Ns) :-
    relation(From, To, Relation),
    memberchk(typical(Relation, Typical, Noise), Table),
    (   one_way_ns(From, To, Measured),
        abs(Measured - Typical) > Noise
    ->  Ns = Measured
    ;   Ns = Typical
    ).

%   A link takes both directions the same time, so the shorter round trip of the two is the better measurement.
one_way_ns(A, B, Ns) :-
    message_rtt(A, B, _, _, There, _),
    (   message_rtt(B, A, _, _, Back, _)
    ->  Ns is min(There, Back) / 2
    ;   Ns is There / 2
    ),
    !.

measured_pairs(Measured) :-
    findall(Relation-Ns, ( message_rtt(A, B, _, _, _, _), A < B, one_way_ns(A, B, Ns), relation(A, B, Relation) ), Pairs),
    keysort(Pairs, Sorted),
    group_pairs_by_key(Sorted, Measured).

%   Each relation at least a nanosecond farther than the one before: that is how the topology decides between equals.
typical_all([], _, _, []).
typical_all([key(Described, _)-Relation|More], Measured, Nearer, [typical(Relation, Ns, Noise)|Table]) :-
    (   memberchk(Relation-All, Measured)
    ->  median(All, Middle),
        noise(All, Middle, Noise)
    ;   Middle = Described,
        Noise = inf
    ),
    Ns is max(Nearer + 1, round(Middle)),
    typical_all(More, Measured, Ns, Table).

%   A pair stands out by a fifth, by half a millisecond (a ping that meets another process's turn on the CPU is late by
%   that much), and by six times the usual deviation of its relation's pairs from their median.
noise(All, Middle, Noise) :-
    findall(Off, ( member(Ns, All), Off is abs(Ns - Middle) ), Offs),
    median(Offs, Usual),
    Noise is max(500000, max(Middle / 5, 6 * Usual)).

median(All, Middle) :-
    msort(All, Sorted),
    length(Sorted, Count),
    Place is Count // 2,
    nth0(Place, Sorted, Middle).

rank(same_core, 0) :- !.
rank(shared_cache, 1) :- !.
rank(same_package, 2) :- !.
rank(Relation, Rank) :- atom_concat(hop_, Text, Relation), atom_number(Text, Hops), Rank is 2 + Hops.
