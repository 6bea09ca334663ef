/*  What a query may do, and how one is run.

    Guarantees: a query or an added rule reaches only the predicates listed here, the shipped rules, the facts and other
    checked rules; it ends by its inference limit, its deadline or the stack limit; whatever it throws comes back as a
    term the host understands. Assumes the heartbeat flag is set, so that prolog:heartbeat/0 runs every few thousand
    inferences. A single built-in that computes for long (a power with a million digits) cannot be stopped from here:
    the host ends the whole engine then.

    The list names what is allowed, never what is forbidden: a library that gains a predicate gains no hole.
*/
:- module(mk_sandbox, [begin/2, run/4, prepare_module/1, load_program/1, add_clauses/3, put_back/2,
                       check_put_back/1, remove_clauses/2, load_facts/2]).
:- use_module(library(clpfd)).
:- use_module(library(lists)).
:- use_module(library(apply)).
:- use_module(library(aggregate)).
:- use_module(library(assoc)).
:- use_module(library(pairs)).
:- use_module(library(ordsets)).
:- use_module(library(ugraphs)).
:- use_module(library(dif)).
:- use_module(library(when)).
:- use_module(library(solution_sequences)).

:- dynamic allowed_spec/3, added_clause/2, fact_predicate/1, known_own/2, to_check/1, not_put_back/2,
    variable_mark/1.

%   The hook must have one clause: with the one that swipl-wasm brings beside ours, each beat leaves a choice point in
%   the goal that it interrupts, and pruned goals answer twice.
:- abolish(prolog:heartbeat/0), dynamic(prolog:heartbeat/0), assertz((prolog:heartbeat :- mk_sandbox:beat, !)).

beat :-
    nb_getval(mk_deadline, Deadline),
    get_time(Now),
    (   Now > Deadline
    ->  throw(mk_time_limit)
    ;   nb_getval(mk_last_inference, Last),
        statistics(inferences, Done),
        Done > Last
    ->  throw(mk_inference_limit)
    ;   true
    ).

%   Also for our own work between queries.
unlimited :-
    nb_setval(mk_deadline, inf),
    nb_setval(mk_last_inference, inf).

limited(InferenceLimit, Deadline) :-
    statistics(inferences, Done),
    Last is Done + InferenceLimit,
    nb_setval(mk_last_inference, Last),
    nb_setval(mk_deadline, Deadline).

%!  begin(+HeartbeatInferences, +Mark) is det.
%
%   Before the first query, also of a saved state: what is set here is not saved. Mark stands for a variable of an answer towards the
%   host, Mark(Name): nobody can guess it, so that no term of a query is taken for one.
begin(Heartbeat, Mark) :-
    unlimited,
    set_prolog_flag(heartbeat, Heartbeat),
    retractall(variable_mark(_)),
    assertz(variable_mark(Mark)).

%!  run(+Text, +InferenceLimit, +Deadline, -Outcome) is nondet.
%
%   Runs the goal in Text. Outcome is solution(NamesAndValues, ResidualGoals) for each solution, or one
%   error(Kind, Detail, Position). Deadline is in seconds since the epoch. Inferences are counted by the heartbeat, so
%   the limit is kept to within one beat.
run(Text, InferenceLimit, Deadline, Outcome) :-
    limited(InferenceLimit, Deadline),
    catch(( prepare(Text, Goal, Bindings), skb:Goal, encode(Bindings, Outcome) ), Thrown,
        ( unlimited, outcome_of(Thrown, Outcome) )).

prepare(Text, Goal, Bindings) :-
    term_string(Goal, Text, [variable_names(Named), module(skb)]),
    \+ goes_on(Text, _),
    check_goal(Goal),
    shown(Named, Bindings),
    !.
prepare(Text, _, _) :-
    goes_on(Text, Position),
    throw(error(syntax_error(end_expected), string(Text, Position))).

%   There is more than one term in the text; term_string/3 reads the first. Most goals have no full stop at all.
goes_on(Text, Position) :-
    once(sub_atom(Text, _, 1, _, '.')),
    setup_call_cleanup(open_string(Text, Stream), second_term(Stream, Position), close(Stream)).

second_term(Stream, Position) :-
    catch(read_term(Stream, _, [module(skb)]), _, fail),
    character_count(Stream, Position),
    catch(read_term(Stream, Next, [module(skb)]), _, true),
    Next \== end_of_file.

%   As at the toplevel, a name that starts with an underscore is not answered.
shown([], []).
shown([Name=_|More], Shown) :- sub_atom(Name, 0, 1, _, '_'), !, shown(More, Shown).
shown([Binding|More], [Binding|Shown]) :- shown(More, Shown).

%   Answers

%   Bounds of an answer's cells and nesting. Beyond them swipl-wasm's conversion to JavaScript, like
%   term_size/2, may write outside its memory; so we count ourselves, and stop at the bound.
max_answer_cells(20000).
max_answer_depth(200).

encode(Bindings, solution(Flat, [])) :- length(Bindings, Count), Count =< 100, atomic_values(Bindings, Flat), !.
encode(Bindings, Outcome) :-
    (   answer_too_large(Bindings)
    ->  Outcome = error(answer_too_large, '', -1)
    ;   term_attvars(Bindings, []),
        term_variables(Bindings, [])
    ->  flat(Bindings, Flat),
        Outcome = solution(Flat, [])
    ;   copy_term(Bindings, Plain, Residual),
        variable_mark(Mark),
        bind_names(Plain, Mark),
        term_variables(Plain-Residual, Unnamed),
        name_variables(Unnamed, Mark, 0),
        maplist(residual_text(Mark), Residual, Texts),
        flat(Plain, Flat),
        Outcome = solution(Flat, Texts)
    ).

answer_too_large(Bindings) :-
    max_answer_cells(Most),
    max_answer_depth(Deepest),
    \+ fits(Bindings, Deepest, Most, _).

%   Lists count as one level: they become arrays. A cyclic term runs out of depth or of cells.
fits(Term, _, Cells, Left) :- \+ compound(Term), !, Left is Cells - 1.
fits([First|Rest], Depth, Cells, Left) :- !,
    Cells > 0,
    Deeper is Depth - 1,
    Deeper > 0,
    fits(First, Deeper, Cells, Middle),
    fits(Rest, Depth, Middle, Left).
fits(Term, Depth, Cells, Left) :-
    Cells > 0,
    Deeper is Depth - 1,
    Deeper > 0,
    compound_name_arguments(Term, _, Args),
    fits(Args, Depth, Cells, Left).

%   The answer of a lookup: nothing to count, no variable, no constraint.
atomic_values([], []).
atomic_values([Name=Value|More], [Name, Value|Flat]) :- atomic(Value), atomic_values(More, Flat).

flat([], []).
flat([Name=Value|More], [Name, Value|Flat]) :- flat(More, Flat).

bind_names([], _).
bind_names([Name=Value|More], Mark) :-
    (   var(Value)
    ->  marked(Value, Mark, Name)
    ;   true
    ),
    bind_names(More, Mark).

name_variables([], _, _).
name_variables([Variable|More], Mark, Index) :-
    atom_concat('_', Index, Name),
    marked(Variable, Mark, Name),
    Next is Index + 1,
    name_variables(More, Mark, Next).

marked(Term, Mark, Name) :- compound_name_arguments(Term, Mark, [Name]).

%   Without numbervars: '$VAR'(1) is a term like any other.
residual_text(Mark, Goal, Text) :-
    phrase(readable(Goal, Mark, Readable), Names),
    format(string(Text), '~W', [Readable, [quoted(true), variable_names(Names), portray(false), module(skb)]]).

%   Variables by their names, and no modules.
readable(Term, _, Term) --> { \+ compound(Term) }, !.
readable(Term, Mark, Variable) --> { marked(Term, Mark, Name) }, !, [Name=Variable].
readable(_:Term, Mark, Readable) --> !, readable(Term, Mark, Readable).
readable(Term, Mark, Readable) -->
    { compound_name_arguments(Term, Functor, Args) },
    all_readable(Args, Mark, ReadableArgs),
    { compound_name_arguments(Readable, Functor, ReadableArgs) }.

all_readable([], _, []) --> [].
all_readable([Term|Terms], Mark, [Readable|More]) --> readable(Term, Mark, Readable), all_readable(Terms, Mark, More).

%   Errors

outcome_of(mk_time_limit, error(time_limit, '', -1)) :- !.
outcome_of(mk_inference_limit, error(inference_limit, '', -1)) :- !.
outcome_of(mk_forbidden(What), error(forbidden, Text, -1)) :- !, term_text(What, Text).
outcome_of(mk_unknown(What), error(unknown_predicate, Text, -1)) :- !, term_text(What, Text).
outcome_of(error(syntax_error(What), Where), error(syntax, Text, Position)) :- !,
    term_text(What, Text),
    position_of(Where, Position).
outcome_of(error(resource_error(What), _), error(resource, Text, -1)) :- !, term_text(What, Text).
outcome_of(error(existence_error(procedure, What), _), error(unknown_predicate, Text, -1)) :- !, term_text(What, Text).
outcome_of(error(Formal, _), error(raised, Text, -1)) :- !, term_text(Formal, Text).
outcome_of(Thrown, error(raised, Text, -1)) :- term_text(Thrown, Text).

position_of(string(_, Position), Position) :- integer(Position), !.
position_of(stream(_, _, _, Position), Position) :- integer(Position), !.
position_of(_, -1).

term_text(Term, Text) :-
    format(string(Text), '~W', [Term, [quoted(true), max_depth(20), portray(false), cycles(true)]]).

%   What is allowed

check_goal(Goal) :- var(Goal), !, throw(mk_forbidden(call_of_an_unbound_variable)).
check_goal(Goal) :- \+ callable(Goal), !, throw(error(type_error(callable, Goal), _)).
check_goal(_:_) :- !, throw(mk_forbidden((:)/2)).
check_goal(Goal) :-
    functor(Goal, Name, Arity),
    (   allowed_spec(Name, Arity, Spec)
    ->  (   Spec == []
        ->  true
        ;   compound_name_arguments(Goal, _, Args),
            check_arguments(Spec, Args)
        )
    ;   own_predicate(Name, Arity)
    ->  true
    ;   predicate_property(skb:Goal, defined)
    ->  throw(mk_forbidden(Name/Arity))
    ;   throw(mk_unknown(Name/Arity))
    ).

check_arguments([], []).
check_arguments([Spec|Specs], [Arg|Args]) :-
    check_argument(Spec, Arg),
    check_arguments(Specs, Args).

check_argument(0, Goal) :- !, check_goal(Goal).
check_argument(^, Goal) :- !, without_quantifiers(Goal, Plain), check_goal(Plain).
check_argument(//, Body) :- !, check_closure(Body, 2).
check_argument(Extra, Closure) :- integer(Extra), !, check_closure(Closure, Extra).
check_argument(_, _).

check_closure(Closure, _) :- var(Closure), !, throw(mk_forbidden(call_of_an_unbound_variable)).
check_closure(Closure, Extra) :-
    (   callable(Closure)
    ->  true
    ;   throw(error(type_error(callable, Closure), _))
    ),
    Closure =.. [Name|Given],
    length(More, Extra),
    append(Given, More, Args),
    Goal =.. [Name|Args],
    check_goal(Goal).

without_quantifiers(Goal, Goal) :- var(Goal), !.
without_quantifiers(_^Goal, Plain) :- !, without_quantifiers(Goal, Plain).
without_quantifiers(Goal, Goal).

%   A predicate of module skb itself: a fact, a shipped rule or an added one. It stays one: clauses may go, but a predicate
%   does not; so one lookup is enough.
own_predicate(Name, Arity) :- known_own(Name, Arity), !.
own_predicate(Name, Arity) :-
    functor(Head, Name, Arity),
    predicate_property(skb:Head, defined),
    \+ predicate_property(skb:Head, imported_from(_)),
    \+ predicate_property(skb:Head, system),
    assertz(known_own(Name, Arity)).

allow_exports(Library) :-
    module_property(Library, exports(Exports)),
    forall(( member(Name/Arity, Exports), \+ sub_atom(Name, 0, _, _, $) ), allow(Library:Name/Arity)).

allow(Module:Name/Arity) :-
    functor(Head, Name, Arity),
    (   predicate_property(Module:Head, meta_predicate(Meta))
    ->  compound_name_arguments(Meta, _, Spec)
    ;   Spec = []
    ),
    (   member(Meta1, Spec), calls(Meta1)
    ->  Kept = Spec
    ;   Kept = []
    ),
    assertz(allowed_spec(Name, Arity, Kept)).

calls(Spec) :- integer(Spec), !.
calls(^).
calls(//).

allow_all :-
    forall(member(Library, [lists, apply, pairs, ordsets, clpfd, assoc]), allow_exports(Library)),
    forall(
        member(Indicator,
            [ true/0, fail/0, false/0, !/0, (',')/2, (;)/2, (->)/2, (*->)/2, (\+)/1, once/1, ignore/1, forall/2,
              call/1, call/2, call/3, call/4, call/5, call/6, call/7, call/8, repeat/0, not/1,
              findall/3, findall/4, bagof/3, setof/3, between/3, succ/2, plus/3, length/2,
              (=)/2, (\=)/2, (==)/2, (\==)/2, (@<)/2, (@>)/2, (@=<)/2, (@>=)/2, compare/3, (?=)/2,
              unify_with_occurs_check/2, (is)/2, (=:=)/2, (=\=)/2, (<)/2, (>)/2, (=<)/2, (>=)/2,
              var/1, nonvar/1, atom/1, number/1, integer/1, float/1, rational/1, atomic/1, compound/1, callable/1,
              is_list/1, string/1, ground/1, cyclic_term/1, acyclic_term/1,
              functor/3, arg/3, (=..)/2, copy_term/2, term_variables/2, term_to_atom/2,
              compound_name_arity/3, compound_name_arguments/3,
              sort/2, sort/4, msort/2, keysort/2, predsort/3,
              atom_codes/2, atom_chars/2, char_code/2, atom_length/2, atom_concat/3, sub_atom/5, atom_number/2,
              number_codes/2, number_chars/2, atom_string/2, upcase_atom/2, downcase_atom/2,
              atomic_list_concat/2, atomic_list_concat/3, split_string/4, string_concat/3, string_length/2,
              string_chars/2, string_codes/2, string_code/3, sub_string/5, number_string/2, string_lower/2,
              string_upper/2, string_to_atom/2, term_string/2, freeze/2, phrase/2, phrase/3 ]),
        allow(system:Indicator)),
    forall(member(P, [aggregate_all/3, aggregate_all/4]), allow(aggregate:P)),
    forall(member(P, [limit/2, order_by/2, distinct/1, distinct/2]), allow(solution_sequences:P)),
    forall(member(P, [vertices_edges_to_ugraph/3, reachable/3, transitive_closure/2, neighbours/3, top_sort/2]),
        allow(ugraphs:P)),
    allow(dif:dif/2),
    allow(when:when/2).

:- allow_all.

%   Loading the shipped rules

%!  prepare_module(+Module) is det.
%
%   Lets Module see the libraries that a query may use.
prepare_module(Module) :-
    forall(member(Library,
               [ clpfd, lists, apply, aggregate, assoc, pairs, ordsets, ugraphs, dif, when, solution_sequences ]),
        Module:use_module(library(Library))).

%!  load_program(+Path) is det.
%
%   Loads a shipped file of rules into module skb; a warning is an error.
load_program(Path) :-
    unlimited,
    atom_string(File, Path),
    load_files(skb:File, [silent(true)]).

%   Facts

%!  load_facts(+Removed, +Added) is det.
%
%   Removes and adds facts given as text; the host keeps the set and never adds one twice.
load_facts(Removed, Added) :-
    unlimited,
    maplist(remove_fact, Removed),
    maplist(add_fact, Added).

add_fact(Text) :-
    term_string(Fact, Text),
    declare_fact(Fact),
    assertz(skb:Fact).

remove_fact(Text) :-
    term_string(Fact, Text),
    (   predicate_property(skb:Fact, dynamic),
        retract(skb:Fact)
    ->  true
    ;   true
    ).

declare_fact(Fact) :-
    functor(Fact, Name, Arity),
    (   fact_predicate(Name/Arity)
    ->  true
    ;   dynamic(skb:Name/Arity),
        assertz(fact_predicate(Name/Arity))
    ).

%   Rules that users add

%!  add_clauses(+Name, +Text, -Outcome) is det.
%
%   Replaces the rules named Name by those in Text: all of them, or none and error(Kind, Detail, Position).
add_clauses(Name, Text, Outcome) :-
    unlimited,
    catch(( read_clauses(Text, Clauses), check_heads(Clauses), checked_with(Name, Clauses), Outcome = added ),
        Thrown, outcome_of(Thrown, Outcome)).

%!  put_back(+Name, +Text) is det.
%!  check_put_back(-Refused) is det.
%
%   Restore rules that were accepted before, program by program in any order, and then check them: each may call what another
%   defines, and what has been removed since, which fails as it did then. Refused lists [Name, Why] of those not accepted now.
%   One program at a time is on the stacks: all of them together may be more than these hold.
put_back(Name, Text) :-
    unlimited,
    catch(( read_clauses(Text, Clauses), check_heads(Clauses), remove_clauses(Name, _), install(Name, Clauses),
            assertz(to_check(Name)) ),
        Thrown, refuse(Name, Thrown)).

check_put_back(Refused) :-
    unlimited,
    forall(retract(to_check(Name)), catch(check_program(Name), Thrown, refuse(Name, Thrown))),
    findall([Name, Why], retract(not_put_back(Name, Why)), Refused).

check_program(Name) :-
    forall(( added_clause(Name, Ref), clause(skb:Head, Body, Ref), Body \== true ), check_restored((Head :- Body))).

refuse(Name, Thrown) :-
    remove_clauses(Name, _),
    outcome_of(Thrown, error(Kind, Detail, _)),
    format(string(Why), '~w: ~w', [Kind, Detail]),
    assertz(not_put_back(Name, Why)).

check_restored(Clause) :-
    catch(check_body(Clause), mk_unknown(Name/Arity), ( dynamic(skb:Name/Arity), check_restored(Clause) )).

remove_clauses(Name, removed) :-
    forall(retract(added_clause(Name, Ref)), erase(Ref)).

checked_with(Name, Clauses) :-
    remembered(Name, Previous),
    remove_clauses(Name, _),
    install(Name, Clauses),
    catch(forall(member(Clause, Clauses), check_body(Clause)), Thrown,
        ( remove_clauses(Name, _), install(Name, Previous), throw(Thrown) )).

remembered(Name, Clauses) :-
    findall(Clause, ( added_clause(Name, Ref), clause(skb:Head, Body, Ref), Clause = (Head :- Body) ), Clauses).

install(Name, Clauses) :-
    forall(member(Clause, Clauses), install_clause(Name, Clause)).

install_clause(Name, Clause) :-
    head_of(Clause, Head),
    functor(Head, Functor, Arity),
    dynamic(skb:Functor/Arity),
    assertz(skb:Clause, Ref),
    assertz(added_clause(Name, Ref)).

read_clauses(Text, Clauses) :-
    setup_call_cleanup(open_string(Text, Stream), read_all(Stream, Clauses), close(Stream)).

read_all(Stream, Clauses) :-
    read_term(Stream, Term, [module(skb), syntax_errors(error)]),
    (   Term == end_of_file
    ->  Clauses = []
    ;   ignored_directive(Term)
    ->  read_all(Stream, Clauses)
    ;   translated(Term, Clause),
        Clauses = [Clause|More],
        read_all(Stream, More)
    ).

ignored_directive(:- use_module(library(Library))) :-
    ground(Library),
    memberchk(Library, [clpfd, lists, apply, aggregate, pairs, assoc, ordsets, ugraphs]).

translated(Term, _) :- nonvar(Term), ( Term = (:- Directive) ; Term = (?- Directive) ), !,
    throw(mk_forbidden((:- Directive))).
translated((Head --> Body), Clause) :- !, dcg_translate_rule((Head --> Body), Clause).
translated(Term, Term).

head_of((Head :- _), Head) :- !.
head_of(Head, Head).

check_heads(Clauses) :- forall(member(Clause, Clauses), check_head(Clause)).

%   Shipped rules, libraries, built-ins and facts keep their meaning.
check_head(Clause) :-
    head_of(Clause, Head),
    (   callable(Head), Head \= _:_
    ->  true
    ;   throw(error(type_error(callable, Head), _))
    ),
    functor(Head, Name, Arity),
    (   allowed_spec(Name, Arity, _)
    ->  throw(mk_forbidden(redefinition_of(Name/Arity)))
    ;   ( fact_predicate(Name/Arity) ; call(skb:known_fact, Name, Arity) )
    ->  throw(mk_forbidden(redefinition_of(Name/Arity)))
    ;   predicate_property(skb:Head, defined),
        \+ predicate_property(skb:Head, dynamic)
    ->  throw(mk_forbidden(redefinition_of(Name/Arity)))
    ;   predicate_property(system:Head, defined)
    ->  throw(mk_forbidden(redefinition_of(Name/Arity)))
    ;   true
    ).

check_body((_ :- Body)) :- !, check_goal(Body).
check_body(_).
