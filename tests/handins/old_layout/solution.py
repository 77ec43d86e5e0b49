# Group 7
import keras

your_name = 'Jansen' + ', ' + 'Bo'
student_id = 7654321

answer_q_1_1 = '''Four dense layers, each narrower than the one before, read the colour images after pooling them to 8x8.'''
answer_q_1_2 = '''Grey images with the contrast raised help: what tells a digit is its shape and not its colour.'''
answer_q_1_3 = '''Batch normalisation made training faster; dropout cost accuracy in a network as small as this one.'''
