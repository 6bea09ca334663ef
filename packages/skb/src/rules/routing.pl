/*  Ways between cores, whatever the links: direct, around a ring, or up and down a fat tree whose inner nodes are the
    lowest cores of their groups (Barrelfish's radix-k broadcast tree has the same groups).
*/

%!  route(+Kind, +From, +To, -Path) is semidet.
%
%   Kind is direct, ring, or fat_tree(Radix); Path has both ends.
route(_, From, From, [From]) :- !, running_core(From).
route(direct, From, To, [From, To]) :- running_core(From), running_core(To), !.
route(ring, From, To, Path) :-
    cores(Cores),
    nth0(I, Cores, From),
    nth0(J, Cores, To),
    length(Cores, Count),
    Ahead is (J - I) mod Count,
    Back is (I - J) mod Count,
    (   Ahead =< Back
    ->  ring_way(Cores, Count, I, 1, Ahead, Path)
    ;   ring_way(Cores, Count, I, -1, Back, Path)
    ),
    !.
route(fat_tree(Radix), From, To, Path) :-
    Radix >= 2,
    cores(Cores),
    nth0(I, Cores, From),
    nth0(J, Cores, To),
    climb(I, J, Radix, 1, Up, Down),
    reverse(Down, Descent),
    append(Up, Descent, Places),
    without_repeats(Places, Way),
    maplist(nth0_of(Cores), Way, Path),
    !.

%!  next_hop(+Kind, +From, +To, -Next) is semidet.
next_hop(Kind, From, To, Next) :- route(Kind, From, To, [_, Next|_]).

%!  path_ns(+Path, -Ns) is semidet.
%
%   How long a message takes along a path of idle cores.
path_ns([_], 0).
path_ns([A, B|More], Ns) :- distance_ns(A, B, First), path_ns([B|More], Rest), Ns is First + Rest.

ring_way(Cores, _, I, _, 0, [Core]) :- !, nth0(I, Cores, Core).
ring_way(Cores, Count, I, Step, Left, [Core|Path]) :-
    nth0(I, Cores, Core),
    Next is (I + Step) mod Count,
    Less is Left - 1,
    ring_way(Cores, Count, Next, Step, Less, Path).

%   Both ends climb to the leader of their group until that is the same; Size is how many cores a group has.
climb(I, I, _, _, [I], []) :- !.
climb(I, J, Radix, Size, [I|Up], [J|Down]) :-
    Larger is Size * Radix,
    LeaderI is I - I mod Larger,
    LeaderJ is J - J mod Larger,
    climb(LeaderI, LeaderJ, Radix, Larger, Up, Down).

without_repeats([], []).
without_repeats([X], [X]) :- !.
without_repeats([X, X|More], Way) :- !, without_repeats([X|More], Way).
without_repeats([X, Y|More], [X|Way]) :- without_repeats([Y|More], Way).

nth0_of(Cores, Place, Core) :- nth0(Place, Cores, Core).
